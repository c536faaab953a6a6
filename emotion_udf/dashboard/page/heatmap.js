// Groups by emotions: a table that is its own chart. Numbers are shares, colours tell how far they are from the whole.

const GROUPS_SHOWN = 20;
const FEW = 30; // messages below which a share says little

function heatmapSection(page) {
  const { made, body } = section("groups", page.dimensions.length ? "Who feels what" : "All messages");
  const sentence = element("p", { class: "about" });
  const place = element("div");
  const legend = element("p", { class: "method" });
  const numbers = element("div");
  body.append(sentence, place, legend, numbers);

  function update({ state, bands, groups, now, shares }) {
    const dimension = page.dimensions[state.by];
    const isOther = ({ code }) => code === dimension?.values.length;
    const rows = groups
      .map((totals, code) => ({
        code,
        totals,
        name: dimension ? dimensionLabel(dimension, code) : "all",
        shares: sharesOf(totals, state, page),
      }))
      .filter(({ totals }) => totals.messages > 0)
      .sort((a, b) => isOther(a) - isOther(b) || b.totals.messages - a.totals.messages);
    const listed = rows.filter((row, index) => index < GROUPS_SHOWN || isOther(row));
    const whole = shares.map(({ share }) => share);
    sentence.textContent = words(rows, whole, bands, dimension);
    place.replaceChildren(tableOfGroups(listed, whole, bands, dimension, now));
    legend.textContent =
      "Numbers: share of the group's messages. Colour: purple where the share is above that of all selected messages, orange where it is below, the stronger the more (full at 15 points). " +
      `Groups of fewer than ${FEW} messages have no colour.` +
      (rows.length > listed.length
        ? ` The ${GROUPS_SHOWN} largest of ${countText(rows.length)} groups; all of them are below.`
        : "");
    const columns = [
      { name: capital(dimension?.name ?? "group"), text: ({ name }) => name },
      { name: "Messages", text: ({ totals }) => countText(totals.messages), value: ({ totals }) => totals.messages },
      ...bands.flatMap((band, number) => [
        { name: capital(band), text: (row) => percentText(row.shares[number]), value: (row) => row.shares[number] },
        ...(state.shares === "corrected"
          ? []
          : [
              {
                name: `${band} from`,
                text: (row) => percentText(endsOf(row, number).low),
                value: (row) => endsOf(row, number).low,
              },
              {
                name: `${band} to`,
                text: (row) => percentText(endsOf(row, number).high),
                value: (row) => endsOf(row, number).high,
              },
            ]),
      ]),
    ];
    numbers.replaceChildren(numbersOf("groups", `Shares of emotions by ${dimension?.name ?? "group"}`, columns, rows));
  }

  const endsOf = (row, number) => wilson(row.shares[number], independent(row.totals));

  function tableOfGroups(rows, whole, bands, dimension, now) {
    const cell = (share, band, isMany) => {
      const off = isMany ? share - whole[band] : 0;
      const made = element(
        "td",
        { class: "heat" },
        figureOf(share, Number.isFinite(share) ? decimalText(100 * share) : UNKNOWN),
      );
      const strength = Math.round(Math.min(1, Math.abs(off) / 0.15) * 70);
      if (strength > 3)
        made.style.backgroundColor = `color-mix(in srgb, var(--${off > 0 ? "above" : "below"}) ${strength}%, transparent)`;
      if (isMany && Math.abs(off) >= 0.05)
        made.append(element("span", { class: "off", "aria-label": off > 0 ? "above" : "below" }, off > 0 ? "▴" : "▾"));
      return made;
    };
    const caption = `Share of each emotion in per cent, by ${dimension?.name ?? "group"}`;
    const line = ({ name, totals, shares }, isWhole) =>
      element(
        "tr",
        { class: isWhole ? "whole" : null },
        element("th", { scope: "row" }, name),
        element("td", { class: "number" }, figureOf(totals.messages, countText(totals.messages))),
        shares.map((share, band) => cell(share, band, !isWhole && totals.messages >= FEW)),
      );
    return element(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      element(
        "table",
        { class: "heatmap" },
        element("caption", { class: "unseen" }, caption),
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("th", { scope: "col" }, capital(dimension?.name ?? "")),
            element("th", { scope: "col", class: "number" }, "Messages"),
            bands.map((band, index) =>
              element(
                "th",
                { scope: "col" },
                element("span", { class: `swatch band-${index}`, "aria-hidden": "true" }),
                band,
              ),
            ),
          ),
        ),
        element(
          "tbody",
          {},
          line({ name: "all selected", totals: now, shares: whole }, true),
          dimension ? rows.map((row) => line(row, false)) : [],
        ),
      ),
    );
  }

  function words(rows, whole, bands, dimension) {
    if (!rows.length) return "No message in these days.";
    if (!dimension) return "These tables have no dimensions, so there is one group.";
    let found = null;
    for (const { name, totals, shares } of rows) {
      if (totals.messages < FEW) continue;
      shares.forEach((share, band) => {
        const off = share - whole[band];
        if (bands[band] !== UNCLEAR && (!found || Math.abs(off) > Math.abs(found.off)))
          found = { name, band, share, off };
      });
    }
    if (!found || rows.length < 2) return "There is one group only, or all groups are small.";
    return `The farthest from the whole: ${bands[found.band]} in ${found.name} with ${percentText(found.share)}, ${decimalText(100 * Math.abs(found.off))} points ${found.off > 0 ? "above" : "below"} all selected messages.`;
  }
  return { made, update };
}
