// Copies: messages against distinct texts, so that a spike of retweets shows as one.

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
      binColumn(bins, page.calendar),
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
