// Some messages of each emotion, where the tables keep texts.

const EXAMPLES_SHOWN = 3;

function examplesSection(page) {
  const { made, body } = section("examples", "In their words");
  const sentence = element("p", { class: "about" });
  const lists = element("div", { class: "examples" });
  body.append(sentence, lists);

  function update({ state }) {
    if (!page.examples) {
      sentence.textContent =
        "This page shows no messages: the tables keep no texts, or the page was built without them.";
      return;
    }
    const fitting = page.examples.filter(
      ({ day, by }) =>
        day >= state.from && day <= state.to && state.only.every((code, index) => code === null || by[index] === code),
    );
    sentence.textContent = fitting.length
      ? "Drawn by chance from the confident labels of the last four weeks; links, addresses, @names and digits are masked."
      : "None of the drawn messages, which are of the last four weeks, is in this selection.";
    lists.replaceChildren(
      ...page.emotions.flatMap((emotion, number) => {
        const own = fitting.filter((example) => example.emotion === emotion).slice(0, EXAMPLES_SHOWN);
        if (!own.length) return [];
        return [
          element(
            "div",
            {},
            element(
              "h3",
              {},
              element("span", { class: `swatch band-${number}`, "aria-hidden": "true" }),
              capital(emotion),
            ),
            own.map(({ text, day, by, confidence }) =>
              element(
                "blockquote",
                {},
                element("p", { dir: "auto" }, text),
                element(
                  "footer",
                  {},
                  [
                    page.calendar.text(day),
                    ...by.map((code, index) => dimensionLabel(page.dimensions[index], code)),
                    `${Math.round(100 * confidence)} % sure`,
                  ].join(" · "),
                ),
              ),
            ),
          ),
        ];
      }),
    );
  }
  return { made, update };
}
