// The figures that a manager reads first, each with its change and its interval.

function headlineSection(page) {
  const { made, body } = section("headline", "At a glance");
  const said = element("p", { class: "said-first" });
  const tiles = element("ul", { class: "tiles" });
  const about = element("p", { class: "about", id: "selection" });
  const method = element("p", { class: "method" });
  const numbers = element("div");
  body.append(about, said, tiles, method, numbers);

  function update(figures) {
    const { state, compared, now, before, bands, heldNow, heldBefore } = figures;
    const against = compared ? page.calendar.span(Math.max(0, compared.from), compared.to) : "";
    about.textContent =
      `${capital(selectionText(state, page))}, ${page.calendar.span(state.from, state.to)}` +
      (compared
        ? `, compared with ${against}.`
        : state.compare === "none"
          ? "."
          : "; there are no days before to compare with.");
    const perDay = (value, days) => value / Math.max(1, days);
    const growth = (value, valueBefore) =>
      before && value > 0 && valueBefore > 0 ? scaled(relativeChange(value, valueBefore), heldBefore / heldNow) : null;
    const distinctShare = now.distinctOf ? now.messages / independent(now) : NaN;
    const note = before && heldNow !== heldBefore ? `, a day, over ${heldNow} and ${heldBefore} days` : "";
    const rows = [
      {
        name: "Messages",
        value: now.messages,
        text: countText(now.messages),
        change: growth(now.messages, before?.messages),
        unit: "%",
        note,
        more: `${countText(perDay(now.messages, heldNow))} a day`,
      },
      {
        name: "Distinct texts",
        value: now.distinctOf ? now.distinct : NaN,
        text: now.distinctOf ? countText(now.distinct) : "not recorded",
        change:
          now.distinctOf === now.messages && before?.distinctOf === before?.messages
            ? growth(now.distinct, before?.distinct)
            : null,
        unit: "%",
        note,
        more: now.distinctOf
          ? `${distinctShare.toFixed(2)} messages a text${now.distinctOf < now.messages ? `; known of ${countText(now.distinctOf)} messages` : ""}`
          : "for these days",
      },
      {
        name: "Net emotion",
        value: figures.net.share,
        text: signedText(figures.net.share),
        change: figures.netChange,
        unit: "points",
        more: `${rangeText(figures.net)}, of −100 to +100`,
      },
      ...bands.map((band, index) => ({
        name: capital(band),
        band: index,
        value: figures.shares[index].share,
        text: percentText(figures.shares[index].share),
        change: figures.changes[index],
        unit: "points",
        more: `${rangeText(figures.shares[index])} %`,
        low: figures.shares[index].low,
        high: figures.shares[index].high,
      })),
    ];
    said.textContent = compared ? changesInWords(bands, figures.changes) : "";
    tiles.replaceChildren(...rows.map((row) => tile(row, compared !== null)));
    method.replaceChildren(...methodWords(state, page));
    const columns = [
      { name: "Figure", text: (row) => row.name },
      { name: "Value", text: (row) => row.text, value: (row) => row.value },
      {
        name: "Change",
        text: (row) => (row.change ? signedText(row.change.change) : UNKNOWN),
        value: (row) => row.change?.change ?? NaN,
      },
      {
        name: "from",
        text: (row) => (row.change ? signedText(row.change.low) : UNKNOWN),
        value: (row) => row.change?.low ?? NaN,
      },
      {
        name: "to",
        text: (row) => (row.change ? signedText(row.change.high) : UNKNOWN),
        value: (row) => row.change?.high ?? NaN,
      },
    ];
    numbers.replaceChildren(numbersOf("headline", "Figures at a glance, changes in per cent or points", columns, rows));
  }

  const scaled = ({ change, low, high }, by) => ({
    change: (1 + change) * by - 1,
    low: (1 + low) * by - 1,
    high: (1 + high) * by - 1,
  });

  // What a manager would be told.
  function changesInWords(names, changes) {
    const clear = changes
      .map((change, index) => ({ ...change, name: names[index] }))
      .filter((change) => Number.isFinite(change.change) && isClear(change))
      .sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
    if (!clear.length) return "No share changed by more than chance explains.";
    const words = clear.map((change) => `${change.name} ${changeWords(change, "points")}`);
    return `${capital(words.join(", "))}. ${clear.length < names.length ? "The other shares show no clear change." : ""}`;
  }

  function tile({ name, band, value, text, change, unit, note, more }, isCompared) {
    const swatch = band === undefined ? null : element("span", { class: `swatch band-${band}`, "aria-hidden": "true" });
    return element(
      "li",
      { class: "tile", "data-figure": name },
      element("h3", {}, swatch, name),
      element("p", { class: "value" }, figureOf(value, text)),
      element("p", { class: "more" }, more),
      isCompared ? changeLine(change, unit, note ?? "") : null,
    );
  }

  function changeLine(change, unit, note) {
    if (!change || !Number.isFinite(change.change)) return element("p", { class: "change" }, "no change known");
    const clear = isClear(change);
    const arrow = !clear ? "≈" : change.change > 0 ? "▲" : "▼";
    const words = clear
      ? changeWords(change, unit, ["up", "down"])
      : `no clear change (${signedText(change.low)} to ${signedText(change.high)} ${unit})`;
    return element(
      "p",
      { class: clear ? "change clear" : "change" },
      element("span", { "aria-hidden": "true" }, `${arrow} `),
      figureOf(change.change, words + note),
    );
  }
  return { made, update };
}

// By tools/measure_correction.py, for mixes of 10,000 messages; docs/dashboard.md has the table.
const CORRECTION_MEASURED =
  "The correction is off unless you choose it: on mixes of held-out comments, labelled by the bundled model, it brought the error of a share " +
  "from 3.4 to 1.8 points, which is not quite the half that would make it the default, and with a matrix of another domain it made it larger (3.5).";

function methodWords(state, page) {
  const net =
    "Net emotion = (joy + love − sadness − anger − fear) ÷ (joy + love + sadness + anger + fear) × 100; surprise, which is neither good nor bad, is left out.";
  const intervals =
    "In brackets: 95 % intervals, for which copies of a text count once. They know of chance alone, not of a model that is wrong.";
  const ways = {
    counts: state.unclear
      ? "Shares are of all messages; an emotion counts those that the model is sure of, the others are unclear."
      : "Shares count every message by its most probable emotion, also where the model is not sure.",
    probability:
      "Shares add up the six probabilities of each message, so that a doubtful one counts for several emotions. The intervals are at least as wide as they need be.",
    corrected: correctedWords(page.matrices[state.matrix]),
  };
  return [element("span", {}, ways[state.shares]), " ", element("span", {}, net), " ", element("span", {}, intervals)];
}

function correctedWords(matrix) {
  return matrix
    ? `Shares are those under which the labels are most likely, given how often the model took one emotion for another in ${matrix.about}. ` +
        "Where your messages are confused in other ways than those, the correction is wrong. Intervals by bootstrap of the counts and of the matrix. " +
        CORRECTION_MEASURED
    : "";
}
