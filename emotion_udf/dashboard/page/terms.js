// What people say: the words and pairs of words that set an emotion apart from the others.

const TERMS_SHOWN = 10;
const TYPICAL = 1.96; // standard deviations of the log-odds from which on a term is typical

function termsSection(page) {
  const { made, body } = section("terms", "What people say");
  const sentence = element("p", { class: "about" });
  const lists = element("div", { class: "terms" });
  const method = element("p", { class: "method" });
  const numbers = element("div");
  body.append(sentence, lists, method, numbers);

  function update({ state }) {
    if (!page.terms) {
      sentence.textContent =
        "This release has no terms: the settings of the nightly job leave them out, or its nights are of an earlier version.";
      return;
    }
    const { terms, dimensions, columns, rows: length, step } = page.terms;
    const counts = page.emotions.map(() => new Float64Array(terms.length + 1));
    const [steps, emotions, codes, used] = ["step", "emotion", "term", "count"].map((name) => columns.get(name));
    const filters = dimensions
      .map((index) => [columns.get(`by_${index}`), state.only[index]])
      .filter(([, code]) => code !== null);
    for (let row = 0; row < length; row++) {
      const day = steps[row] * step;
      if (day + step <= state.from || day > state.to || filters.some(([column, code]) => column[row] !== code))
        continue;
      counts[emotions[row]][codes[row]] += used[row];
    }
    const totals = counts.map((own) => own.reduce((sum, count) => sum + count, 0));
    const corpus = totals.reduce((sum, count) => sum + count, 0);
    const ranked = page.emotions.map((emotion, number) => {
      const otherTotal = corpus - totals[number];
      return terms
        .map((term, code) => {
          const own = counts[number][code];
          const other = counts.reduce((sum, one) => sum + one[code], 0) - own;
          return {
            emotion,
            term,
            own,
            other,
            score: own && otherTotal ? logOdds(own, totals[number], other, otherTotal) : -Infinity,
          };
        })
        .filter(({ score }) => score >= TYPICAL)
        .sort((a, b) => b.score - a.score);
    });
    const ignored = page.dimensions.filter((_, index) => state.only[index] !== null && !dimensions.includes(index));
    sentence.textContent =
      (ranked.some((list) => list.length)
        ? "Words and pairs of words that people use more with one emotion than with the others."
        : "No term is typical of one emotion in this selection.") +
      (ignored.length
        ? ` Terms are not counted by ${ignored.map(({ name }) => name).join(", ")}: that filter does not touch them.`
        : "");
    lists.replaceChildren(
      ...ranked.map((list, number) =>
        element(
          "div",
          {},
          element(
            "h3",
            {},
            element("span", { class: `swatch band-${number}`, "aria-hidden": "true" }),
            capital(page.emotions[number]),
          ),
          list.length
            ? element(
                "ol",
                {},
                list.slice(0, TERMS_SHOWN).map(({ term, own, score }) => {
                  const bar = element("span", { class: "bar", "aria-hidden": "true" });
                  bar.style.width = `${Math.round((100 * score) / list[0].score)}%`;
                  return element(
                    "li",
                    {},
                    bar,
                    element("span", { class: "term" }, term),
                    element(
                      "span",
                      { class: "used" },
                      countText(own),
                      element("span", { class: "unseen" }, " messages"),
                    ),
                  );
                }),
              )
            : element("p", { class: "more" }, totals[number] ? "no word of its own" : "no terms"),
        ),
      ),
    );
    method.textContent =
      "Ranked by log-odds with a Dirichlet prior (Monroe, Colaresi and Quinn 2008) against all other emotions; numbers are messages that use the term. " +
      "Only terms of several different texts are counted at all." +
      (step > 1 ? ` Terms are kept by ${step} days: spans that the selected days touch count whole.` : "");
    const columnsOf = [
      { name: "Emotion", text: ({ emotion }) => emotion },
      { name: "Term", text: ({ term }) => term },
      { name: "Messages", text: ({ own }) => countText(own), value: ({ own }) => own },
      { name: "Messages of other emotions", text: ({ other }) => countText(other), value: ({ other }) => other },
      { name: "Log-odds, standard deviations", text: ({ score }) => decimalText(score), value: ({ score }) => score },
    ];
    numbers.replaceChildren(
      numbersOf(
        "terms",
        "Terms typical of an emotion",
        columnsOf,
        ranked.flatMap((list) => list.slice(0, 50)),
      ),
    );
  }
  return { made, update };
}
