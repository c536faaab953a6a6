// What moved: shares of emotions in groups against the same weekdays before, those that chance alone would seldom make.

const MOVERS_SHOWN = 10;
const RATE = 0.05; // of the cells named, so many may be there by chance

function moversSection(page) {
  const { made, body } = section("movers", "What moved");
  const sentence = element("p", { class: "about" });
  const list = element("ol", { class: "movers" });
  const place = element("div", { class: "chart" });
  const method = element("p", { class: "method" });
  const numbers = element("div");
  body.append(sentence, list, place, method, numbers);
  const draw = chartIn(place, specification);

  function specification(width, colours) {
    const names = Math.min(200, Math.floor(width * 0.38));
    const plot = Math.max(100, width - names - 12);
    const y = {
      field: "row",
      type: "ordinal",
      scale: { paddingInner: 0.4 },
      axis: {
        title: null,
        ticks: false,
        domain: false,
        labelLimit: names - 8,
        minExtent: names,
        maxExtent: names,
        labelExpr: "data('names')[datum.value].name",
      },
    };
    return {
      padding: { left: 0, right: 8, top: 4, bottom: 4 },
      width: plot,
      height: { step: 26 },
      layer: [
        {
          data: { name: "zero" },
          mark: { type: "rule", color: colours.soft },
          encoding: { x: { field: "at", type: "quantitative" } },
        },
        {
          data: { name: "moved" },
          mark: { type: "rule", strokeWidth: 2, color: colours.soft },
          encoding: {
            y,
            x: {
              field: "low",
              type: "quantitative",
              axis: { title: "change in points, with its 95 % interval", tickCount: 5 },
            },
            x2: { field: "high" },
          },
        },
        {
          data: { name: "moved" },
          mark: { type: "point", filled: true, size: 130, opacity: 1, stroke: colours.paper, strokeWidth: 1 },
          encoding: {
            y,
            x: { field: "change", type: "quantitative" },
            shape: {
              field: "way",
              type: "nominal",
              scale: { domain: ["up", "down"], range: ["triangle-up", "triangle-down"] },
              legend: null,
            },
            color: {
              field: "band",
              type: "nominal",
              scale: { domain: page.emotions.concat(UNCLEAR), range: COLOURS },
              legend: null,
            },
          },
        },
        { data: { name: "names" }, mark: { type: "point", opacity: 0 }, encoding: { y } },
      ],
    };
  }

  function update(figures) {
    const { state, weekdays, groups, groupsBefore } = figures;
    const counted = { ...state, shares: "counts" };
    const bands = bandsOf(counted, page);
    const cells = weekdays ? cellsOf(groups, groupsBefore, counted, bands) : [];
    const tested = cells.filter(({ isTested }) => isTested);
    benjaminiHochberg(tested.map(({ p }) => p)).forEach((rate, index) => {
      tested[index].rate = rate;
    });
    const moved = tested.filter(({ rate }) => rate <= RATE).sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
    const shown = moved.slice(0, MOVERS_SHOWN);
    const against = weekdays ? page.calendar.span(Math.max(0, weekdays.from), weekdays.to) : "";
    sentence.textContent = !weekdays
      ? "There are no same weekdays before these days to compare with."
      : moved.length
        ? `${plural(moved.length, "share")} of ${countText(tested.length)} looked at moved more than chance explains, against the same weekdays before (${against}).`
        : `None of ${plural(tested.length, "share")} looked at moved more than chance explains, against the same weekdays before (${against}).`;
    list.replaceChildren(...shown.map((cell) => element("li", { "data-mover": `${cell.band}` }, ...moverWords(cell))));
    place.hidden = !shown.length;
    method.textContent = weekdays
      ? `Looked at: each emotion in each group with at least ${FEW} messages in both periods. Named: those that remain at a false discovery rate of ${RATE * 100} % ` +
        "(Benjamini and Hochberg) over all of them. Each cell moves the whole by its own share (within) and by its weight among the groups (mix); over all groups both add up to the whole's change. " +
        (state.shares === "counts" ? "" : "This section compares labels as they are counted. ")
      : "";
    const points = (name, value) => ({ name, text: (row) => signedText(value(row)), value });
    const columns = [
      { name: "Group", text: ({ name }) => name },
      { name: "Emotion", text: ({ band }) => band },
      { name: "Share", text: ({ now }) => percentText(now.share), value: ({ now }) => now.share },
      { name: "before", text: ({ before }) => percentText(before.share), value: ({ before }) => before.share },
      points("Change", ({ change }) => change),
      points("from", ({ low }) => low),
      points("to", ({ high }) => high),
      points("within", ({ within }) => within),
      points("mix", ({ mix }) => mix),
      { name: "Messages", text: ({ now }) => countText(now.messages), value: ({ now }) => now.messages },
      {
        name: "Messages before",
        text: ({ before }) => countText(before.messages),
        value: ({ before }) => before.messages,
      },
      {
        name: "False discovery rate",
        text: ({ rate }) => (rate === undefined ? "too few" : rate < 0.001 ? "< 0.001" : rate.toFixed(3)),
        value: ({ rate }) => rate ?? NaN,
      },
    ];
    numbers.replaceChildren(
      ...(weekdays
        ? [
            numbersOf(
              "movers",
              "Changes of shares by group and emotion, within and mix as parts of the whole's change",
              columns,
              cells,
            ),
          ]
        : []),
    );
    if (!shown.length) return null;
    const data = {
      moved: shown.map(({ change, low, high, band }, row) => ({
        row,
        change: 100 * change,
        low: 100 * low,
        high: 100 * high,
        band,
        way: change > 0 ? "up" : "down",
      })),
      names: shown.map(({ name, band }, row) => ({ row, name: groupWords(name, band) })),
      zero: [{ at: 0 }],
    };
    return draw(data, `Changes with intervals: ${shown.map((cell) => changeSentence(cell)).join("; ")}.`, shown.length);
  }

  const groupWords = (name, band) => (page.dimensions.length ? `${band} in ${name}` : band);
  const changeSentence = (cell) => `${groupWords(cell.name, cell.band)} ${changeWords(cell, "points")}`;

  function moverWords(cell) {
    const { name, band, now, before, within, mix } = cell;
    return [
      element(
        "strong",
        {},
        `${page.dimensions.length ? `${capital(band)} in ` : capital(band)}`,
        page.dimensions.length ? element("em", {}, name) : null,
      ),
      ` ${changeWords(cell, "points")}, from ${percentText(before.share)} to ${percentText(now.share)}.`,
      page.dimensions.length
        ? element(
            "span",
            { class: "more" },
            ` It moved ${band} on the whole by ${signedText(within + mix)} points: ${signedText(within)} by its own share, ${signedText(mix)} by its weight.`,
          )
        : null,
    ];
  }

  function cellsOf(groups, groupsBefore, state, bands) {
    const dimension = page.dimensions[state.by];
    const all = (list) => list.reduce((sum, totals) => sum + totals.messages, 0);
    const [allNow, allBefore] = [all(groups), all(groupsBefore)];
    if (!allNow || !allBefore) return [];
    const shares = (totals) => (totals.messages ? sharesOf(totals, state, page) : bands.map(() => null));
    const rows = groups
      .map((totals, code) => ({
        code,
        now: totals,
        before: groupsBefore[code],
        sharesNow: shares(totals),
        sharesBefore: shares(groupsBefore[code]),
      }))
      .filter(({ now, before }) => now.messages || before.messages);
    return bands.flatMap((band, number) => {
      // A group that is there in one period only moves the whole by its weight alone.
      const side = (own, other, messages, total) => ({ share: own[number] ?? other[number], weight: messages / total });
      const parts = decompose(
        rows.map(({ now, before, sharesNow, sharesBefore }) => ({
          now: side(sharesNow, sharesBefore, now.messages, allNow),
          before: side(sharesBefore, sharesNow, before.messages, allBefore),
        })),
      );
      return rows.map(({ code, now, before, sharesNow, sharesBefore }, index) => {
        const [ofNow, ofBefore] = [independent(now), independent(before)];
        const [share, shareBefore] = [sharesNow[number] ?? NaN, sharesBefore[number] ?? NaN];
        const isTested = now.messages >= FEW && before.messages >= FEW;
        return {
          name: dimension ? dimensionLabel(dimension, code) : "all",
          band,
          now: { share, messages: now.messages },
          before: { share: shareBefore, messages: before.messages },
          ...difference(wilson(share, ofNow), wilson(shareBefore, ofBefore)),
          ...parts[index],
          isTested,
          p: isTested ? sameShare(share, ofNow, shareBefore, ofBefore) : NaN,
        };
      });
    });
  }
  return { made, update };
}
