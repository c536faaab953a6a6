// How good the labels are over time.

const MEASURES = [
  { name: "Not confident", share: ({ low, messages }) => low.reduce((sum, value) => sum + value, 0) / messages },
  { name: "Refused (all messages)", share: ({ quarantined, everything }) => quarantined / (quarantined + everything) },
  {
    name: "Cut, longer than the model reads",
    share: ({ truncated, truncatedOf }) => (truncatedOf ? truncated / truncatedOf : NaN),
  },
  { name: "Other languages", share: ({ foreign, foreignOf }) => (foreignOf ? foreign / foreignOf : NaN) },
  { name: "Tokens that the model does not know", share: ({ unknown, tokens }) => (tokens ? unknown / tokens : NaN) },
];

function qualitySection(page) {
  const { made, body } = section(
    "quality",
    "How good are the labels",
    "Where one of these jumps, look there before you believe a change of emotions.",
  );
  const charts = MEASURES.map(({ name }) => {
    const place = element("div", { class: "chart" });
    const latest = element("strong");
    return {
      tile: element("li", {}, element("h3", {}, name), latest, place),
      latest,
      draw: chartIn(place, specification),
      place,
    };
  });
  const numbers = element("div");
  const audits = element("div", { class: "audits" });
  body.append(
    element(
      "ul",
      { class: "small-charts" },
      charts.map(({ tile }) => tile),
    ),
    numbers,
    element("h3", {}, "Precision from audits"),
    audits,
  );
  let shown = null;

  function specification(width, colours) {
    const x = { field: "time", type: "quantitative", ...timeAxis(shown, page.calendar, width - AXIS) };
    return {
      padding: { left: 0, right: 8, top: 6, bottom: 4 },
      width: Math.max(90, width - AXIS - 8),
      height: 80,
      data: { name: "line" },
      encoding: {
        x,
        y: {
          field: "share",
          type: "quantitative",
          scale: { zero: true, nice: true },
          axis: { tickCount: 3, format: "~%", title: null },
        },
      },
      layer: [
        { mark: { type: "line", color: colours.accent, strokeWidth: 2, invalid: "break-paths-show-domains" } },
        {
          mark: {
            type: "point",
            filled: true,
            size: shown.starts.length > 40 ? 0 : 22,
            color: colours.accent,
            opacity: 1,
          },
          encoding: { tooltip: { field: "text" } },
        },
      ],
    };
  }

  function update({ state, bins, byBin }) {
    shown = bins;
    const everything = page.cube.sums(
      bins.starts[0],
      state.to,
      page.dimensions.map(() => null),
      bins.starts.length,
      (row) => bins.indexOf(page.cube.days[row]),
    );
    const rows = byBin.map((totals, index) => {
      const quarantined = quarantineOf(page, bins.starts[index], bins.end(index) - 1).messages;
      return {
        index,
        totals,
        shares: MEASURES.map(({ share }) => share({ ...totals, quarantined, everything: everything[index].messages })),
      };
    });
    const drawn = charts.map(({ latest, draw, place }, number) => {
      const values = rows.filter(({ shares }) => Number.isFinite(shares[number]));
      const last = values[values.length - 1];
      latest.textContent = last ? `${percentText(last.shares[number])} ` : "not recorded for these days";
      if (last) latest.append(element("small", {}, `on ${bins.text(last.index)}`));
      place.hidden = !last;
      if (!last) return null;
      const data = {
        line: rows.map(({ index, shares }) => ({
          time: page.calendar.time(bins.starts[index]) + MILLISECONDS / 2,
          share: Number.isFinite(shares[number]) ? shares[number] : null,
          text: `${bins.text(index)}: ${percentText(shares[number])}`,
        })),
      };
      const [low, high] = [
        Math.min(...values.map(({ shares }) => shares[number])),
        Math.max(...values.map(({ shares }) => shares[number])),
      ];
      return draw(
        data,
        `${MEASURES[number].name} by ${bins.unit}: between ${percentText(low)} and ${percentText(high)}, at last ${percentText(last.shares[number])}.`,
        [bins.starts[0], state.to],
      );
    });
    const columns = [
      binColumn(bins, page.calendar),
      ...MEASURES.map(({ name }, number) => ({
        name,
        text: ({ shares }) => percentText(shares[number]),
        value: ({ shares }) => shares[number],
      })),
    ];
    numbers.replaceChildren(numbersOf("quality", `Quality by ${bins.unit}`, columns, rows));
    return Promise.all(drawn);
  }

  audits.append(...auditWords(page));
  return { made, update };
}

// Precision of each label, from samples that people have judged.
function auditWords(page) {
  if (!page.audits.length) return [element("p", { class: "more" }, "Nobody has audited a sample of these labels yet.")];
  return page.audits.map(({ sample, from, to, isCurrent }) => {
    const lines = page.precision[sample];
    const all = lines[lines.length - 1];
    const columns = [
      { name: "Label", text: ({ name }) => name },
      { name: "Right", text: ({ share }) => percentText(share), value: ({ share }) => share },
      { name: "from", text: ({ low }) => percentText(low), value: ({ low }) => low },
      { name: "to", text: ({ high }) => percentText(high), value: ({ high }) => high },
      { name: "Audited", text: ({ audited }) => countText(audited), value: ({ audited }) => audited },
    ];
    return element(
      "div",
      {},
      element(
        "p",
        {},
        `${from} to ${to}: labels are right in ${percentText(all.share)} (${rangeText(all)} %), by ${plural(all.audited, "audited message")}${isCurrent ? "" : " of another model than today's"}.`,
      ),
      tableOf(`Precision of labels, sample ${sample}`, columns, lines),
    );
  });
}
