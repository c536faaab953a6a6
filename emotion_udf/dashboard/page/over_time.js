// Shares of the emotions over time, and how many messages they stand on.

function overTimeSection(page) {
  const { made, body } = section("over-time", "Over time");
  const sentence = element("p", { class: "about" });
  const place = element("div", { class: "chart" });
  const legend = element("p", { class: "method" });
  const numbers = element("div");
  body.append(sentence, place, legend, numbers);
  const draw = chartIn(place, specification);

  function specification(width, colours, { labels }) {
    const plot = Math.max(120, width - AXIS - LABELS);
    const { bins, bands } = shown;
    const x = timeAxis(bins, page.calendar, plot);
    const ends = (axis) => ({
      x: { field: "start", type: "quantitative", scale: x.scale, axis },
      x2: { field: "end" },
    });
    const faded = { opacity: { field: "opacity", type: "quantitative", scale: null } };
    const gap = {
      data: { name: "gaps" },
      mark: {
        type: "rect",
        fill: colours.line,
        fillOpacity: 0.5,
        stroke: colours.soft,
        strokeDash: [2, 2],
        strokeWidth: 0.5,
      },
      encoding: {
        x: { field: "start", type: "quantitative" },
        x2: { field: "end" },
        y: { field: "low", type: "quantitative" },
        y2: { field: "high" },
        tooltip: { field: "text" },
      },
    };
    const rule = (dash) => ({ type: "rule", color: colours.ink, strokeDash: dash, strokeWidth: 1 });
    return {
      padding: { left: 0, right: 0, top: 18, bottom: 4 },
      spacing: 14,
      vconcat: [
        {
          width: plot,
          height: 280,
          layer: [
            gap,
            {
              data: { name: "bands" },
              mark: { type: "rect", stroke: colours.paper, strokeWidth: bins.starts.length > 60 ? 0.25 : 1 },
              encoding: {
                ...ends({ ...x.axis, labels: false }),
                ...faded,
                y: {
                  field: "low",
                  type: "quantitative",
                  scale: { domain: [0, 1] },
                  axis: { format: ".0%", values: [0, 0.25, 0.5, 0.75, 1], title: null },
                },
                y2: { field: "high" },
                color: {
                  field: "band",
                  type: "nominal",
                  scale: { domain: page.emotions.concat(UNCLEAR), range: COLOURS },
                  legend: null,
                },
                tooltip: { field: "text" },
              },
            },
            {
              data: { name: "labels" },
              mark: { type: "text", align: "left", baseline: "middle", dx: 6, x: plot },
              encoding: { y: { field: "y", type: "quantitative" }, text: { field: "text" } },
            },
            {
              data: { name: "changes" },
              mark: rule([]),
              encoding: { x: { field: "time", type: "quantitative" } },
            },
            {
              data: { name: "changes" },
              mark: {
                type: "text",
                align: { expr: "datum.align" },
                baseline: "bottom",
                y: -4,
                dx: 3,
                fontStyle: "italic",
              },
              encoding: { x: { field: "time", type: "quantitative" }, text: { field: "text" } },
            },
            { data: { name: "starts" }, mark: rule([4, 3]), encoding: { x: { field: "time", type: "quantitative" } } },
          ],
        },
        {
          width: plot,
          height: 70,
          layer: [
            {
              data: { name: "volume" },
              mark: {
                type: "rect",
                fill: colours.soft,
                stroke: colours.paper,
                strokeWidth: bins.starts.length > 60 ? 0.25 : 1,
              },
              encoding: {
                ...ends(x.axis),
                ...faded,
                y: { field: "messages", type: "quantitative", axis: { tickCount: 3, format: "~s", title: null } },
                y2: { datum: 0 },
                tooltip: { field: "text" },
              },
            },
          ],
        },
      ],
      resolve: { scale: { x: "independent" } },
    };
  }

  let shown = null;

  function update(figures) {
    const { state, bins, bands, byBin, compared } = figures;
    shown = figures;
    const rows = byBin.map((totals, index) => ({
      index,
      totals,
      shares: sharesOf(totals, state, page),
      isNow: bins.end(index) > state.from,
    }));
    const known = rows.filter(({ totals }) => totals.messages > 0);
    const edges = ({ index }) => ({
      start: page.calendar.time(bins.starts[index]),
      end: page.calendar.time(bins.end(index)),
    });
    const shade = ({ isNow }) => (isNow ? 1 : 0.55);
    const last = known[known.length - 1];
    const places = last ? labelPlaces(last.shares, 0.058) : [];
    const data = {
      bands: known.flatMap((row) => {
        let top = 1;
        return row.shares.map((share, band) => {
          const high = top;
          top -= share;
          return {
            ...edges(row),
            opacity: shade(row),
            low: Math.max(0, top),
            high,
            band: bands[band],
            text: `${bins.text(row.index)}: ${bands[band]} ${percentText(share)} of ${countText(row.totals.messages)}`,
          };
        });
      }),
      labels: last
        ? bands.map((band, index) => ({
            y: 1 - places[index],
            text: `${band} ${Math.round(100 * last.shares[index])}%`,
          }))
        : [],
      volume: known.map((row) => ({
        ...edges(row),
        opacity: shade(row),
        messages: row.totals.messages,
        text: `${bins.text(row.index)}: ${plural(row.totals.messages, "message")}`,
      })),
      gaps: rows
        .filter(({ totals }) => !totals.messages)
        .map((row) => ({
          ...edges(row),
          low: 0,
          high: 1,
          text: `${bins.text(row.index)}: ${gapWords(row.index, bins)}`,
        })),
      changes: page.modelChanges
        .filter(({ day }) => day > bins.starts[0] && day <= state.to)
        .map(({ day, text }) => ({
          time: page.calendar.time(day),
          text,
          align: day > (bins.starts[0] + state.to) / 2 ? "right" : "left",
        })),
      starts: compared && state.from > bins.starts[0] ? [{ time: page.calendar.time(state.from) }] : [],
    };
    sentence.textContent = words(figures, rows, known, last);
    legend.textContent =
      `Each bar is a ${bins.unit}; emotions from the top: ${bands.join(", ")}. Below: messages a ${bins.unit}.` +
      (data.starts.length ? " Paler, left of the dashed line: the days that are compared with." : "") +
      (data.gaps.length ? " Grey fields: no messages, or no night published." : "");
    const columns = [
      binColumn(bins, page.calendar),
      { name: "Period", text: ({ isNow }) => (isNow ? "selected" : "compared with") },
      {
        name: "Messages",
        text: ({ totals, index }) => (totals.messages ? countText(totals.messages) : gapWords(index, bins)),
        value: ({ totals }) => totals.messages,
      },
      ...bands.map((band, number) => ({
        name: capital(band),
        text: ({ shares }) => percentText(shares[number]),
        value: ({ shares }) => shares[number],
      })),
    ];
    numbers.replaceChildren(numbersOf("over-time", `Shares of emotions by ${bins.unit}`, columns, rows));
    place.hidden = legend.hidden = !last;
    if (!last) return null;
    return draw(data, `Shares of emotions by ${bins.unit}, and messages. ${sentence.textContent}`, [
      bins.starts[0],
      state.to,
      bands.length,
    ]);
  }

  function gapWords(index, bins) {
    for (let day = bins.starts[index]; day < bins.end(index); day++) if (page.isHeld(day)) return "no messages";
    return "no night published";
  }

  function words({ state, bins, bands }, rows, known, last) {
    if (!last) return "No message in these days.";
    const selected = known.filter(({ isNow }) => isNow);
    const extremes = (band) => {
      const sorted = [...selected].sort((a, b) => a.shares[band] - b.shares[band]);
      return [sorted[0], sorted[sorted.length - 1]];
    };
    const spread = bands.map((_, band) => {
      const [low, high] = selected.length ? extremes(band) : [last, last];
      return high.shares[band] - low.shares[band];
    });
    const most = spread.indexOf(Math.max(...spread.slice(0, page.emotions.length)));
    const [low, high] = selected.length ? extremes(most) : [last, last];
    const without = rows.filter(({ totals, isNow }) => isNow && !totals.messages).length;
    return (
      (selected.length > 1
        ? `${capital(bands[most])} varied most: from ${percentText(low.shares[most])} (${bins.text(low.index)}) to ${percentText(high.shares[most])} (${bins.text(high.index)}).`
        : `${bins.text(last.index)}: ${plural(last.totals.messages, "message")}.`) +
      (without ? ` On ${plural(without, bins.unit)} there is no message.` : "") +
      page.modelChanges
        .filter(({ day }) => day >= state.from && day <= state.to)
        .map(
          ({ day }) =>
            ` From ${page.calendar.text(day)} on another model labels: shares before and after are not comparable as they stand.`,
        )
        .join("")
    );
  }
  return { made, update };
}
