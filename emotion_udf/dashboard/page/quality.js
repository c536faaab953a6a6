// Copies of texts, and how good the labels are over time.

function copiesSection(page) {
  const { made, body } = section("copies", "Copies");
  const sentence = element("p", { class: "about" });
  const place = element("div", { class: "chart" });
  const legend = element(
    "p",
    { class: "method" },
    "Pale bars: messages. Dark bars: distinct texts of a day and group. Where the pale part is tall, a few texts were sent many times, as retweets are.",
  );
  const numbers = element("div");
  body.append(sentence, place, legend, numbers);
  const draw = chartIn(place, specification);
  let shown = null;

  function specification(width, colours) {
    const plot = Math.max(120, width - AXIS - 12);
    const x = {
      x: { field: "start", type: "quantitative", ...timeAxis(shown, page.calendar, plot) },
      x2: { field: "end" },
    };
    const bar = (field, fill) => ({
      mark: { type: "rect", fill, stroke: colours.paper, strokeWidth: shown.starts.length > 60 ? 0.25 : 1 },
      encoding: { y: { field, type: "quantitative" }, y2: { datum: 0 }, tooltip: { field: "text" } },
    });
    return {
      padding: { left: 0, right: 8, top: 6, bottom: 4 },
      width: plot,
      height: 140,
      data: { name: "copies" },
      encoding: { ...x, y: { type: "quantitative", axis: { tickCount: 4, format: "~s", title: null } } },
      layer: [bar("messages", colours.line), bar("distinct", colours.accent)],
    };
  }

  function update({ state, bins, byBin, now }) {
    shown = bins;
    const rows = byBin
      .map((totals, index) => ({
        index,
        totals,
        repeats: totals.distinctOf ? totals.distinctOf / totals.distinct : NaN,
      }))
      .filter(({ totals }) => totals.messages);
    const known = rows.filter(({ repeats }) => Number.isFinite(repeats));
    place.hidden = !known.length;
    legend.hidden = !known.length;
    const columns = [
      {
        name: bins.unit === "day" ? "Day" : "Week",
        text: ({ index }) => bins.text(index),
        value: ({ index }) => page.calendar.iso(bins.starts[index]),
      },
      { name: "Messages", text: ({ totals }) => countText(totals.messages), value: ({ totals }) => totals.messages },
      {
        name: "Distinct texts",
        text: ({ totals }) => (totals.distinctOf ? countText(totals.distinct) : "not recorded"),
        value: ({ totals }) => (totals.distinctOf ? totals.distinct : NaN),
      },
      {
        name: "Messages a text",
        text: ({ repeats }) => (Number.isFinite(repeats) ? repeats.toFixed(2) : UNKNOWN),
        value: ({ repeats }) => repeats,
      },
      ...page.emotions.map((emotion, number) => ({
        name: `Copies, ${emotion}`,
        text: ({ totals }) => percentText(totals.copies[number] / totals.copiesOf[number]),
        value: ({ totals }) => totals.copies[number] / totals.copiesOf[number],
      })),
    ];
    numbers.replaceChildren(numbersOf("copies", `Messages and distinct texts by ${bins.unit}`, columns, rows));
    if (!known.length) {
      sentence.textContent = "Distinct texts are not recorded for these days.";
      return null;
    }
    const sorted = [...known].sort((a, b) => b.repeats - a.repeats);
    const usual = sorted[Math.floor(sorted.length / 2)].repeats;
    const top = sorted[0];
    const most = page.emotions
      .map((emotion, number) => ({ emotion, copies: top.totals.copies[number] }))
      .sort((a, b) => b.copies - a.copies)[0];
    sentence.textContent =
      (now.distinctOf ? `Each text was sent ${(now.distinctOf / now.distinct).toFixed(2)} times on average.` : "") +
      (top.repeats > 1.2 * usual
        ? ` Most copies: ${bins.text(top.index)}, ${top.repeats.toFixed(2)} messages a text where ${usual.toFixed(2)} is usual, most of them of ${most.emotion}.`
        : ` No ${bins.unit} stands out.`);
    const data = {
      copies: rows.map(({ index, totals }) => ({
        start: page.calendar.time(bins.starts[index]),
        end: page.calendar.time(bins.end(index)),
        messages: totals.messages,
        distinct: totals.distinctOf ? (totals.messages * totals.distinct) / totals.distinctOf : 0,
        text: `${bins.text(index)}: ${plural(totals.messages, "message")}, ${totals.distinctOf ? countText(totals.distinct) : "unknown"} distinct`,
      })),
    };
    return draw(data, `Messages and distinct texts by ${bins.unit}. ${sentence.textContent}`, [
      bins.starts[0],
      state.to,
    ]);
  }
  return { made, update };
}

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
      {
        name: bins.unit === "day" ? "Day" : "Week",
        text: ({ index }) => bins.text(index),
        value: ({ index }) => page.calendar.iso(bins.starts[index]),
      },
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
  return page.audits.map(({ sample, from, to, isCurrent, rows }) => {
    const of = (wanted) => stratified([...strataOf(rows.filter(wanted)).values()]);
    const lines = [
      ...page.emotions.map((emotion) => ({ name: emotion, ...of((row) => row.emotion === emotion) })),
      { name: "all", ...of(() => true) },
    ].filter(({ audited }) => audited);
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

function strataOf(rows) {
  const strata = new Map();
  for (const { stratum, stratum_count, emotion, human_emotion, count } of rows) {
    const found = strata.get(stratum) ?? { size: stratum_count, audited: 0, right: 0 };
    found.audited += count;
    if (human_emotion === emotion) found.right += count;
    strata.set(stratum, found);
  }
  return strata;
}
