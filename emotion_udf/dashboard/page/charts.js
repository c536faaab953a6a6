// Charts: Vega-Lite specifications whose data are put in when the selection changes.

// Paul Tol's bright scheme, told apart by readers with any colour vision; every band is also named where it is drawn.
const COLOURS = ["#4477aa", "#ccbb44", "#aa3377", "#ee6677", "#228833", "#66ccee", "#bbbbbb"];
const AXIS = 44; // pixels left of a plot, so that the time axes of charts below each other agree
const LABELS = 84; // pixels right of it, for the names of bands

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    ink: colour("--ink"),
    soft: colour("--soft"),
    line: colour("--line"),
    paper: colour("--paper"),
    accent: colour("--accent"),
  };
}

function configOf({ ink, soft, line }) {
  const font = "system-ui, sans-serif";
  return {
    background: null,
    font,
    view: { stroke: null },
    mark: { aria: false },
    axis: {
      aria: false,
      labelColor: soft,
      titleColor: soft,
      gridColor: line,
      domainColor: line,
      tickColor: line,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: "normal",
      labelFont: font,
      titleFont: font,
    },
    axisY: { minExtent: AXIS, maxExtent: AXIS, domain: false, ticks: false, titleAnchor: "end" },
    text: { color: ink, font, fontSize: 12 },
    legend: { aria: false },
    header: { aria: false, labelColor: ink },
  };
}

// A chart in a place: drawn anew when its width or the colours change, else only given new data.
//   specification(width, theme, data) makes the Vega-Lite specification; its data sets are named.
function chartIn(place, specification) {
  let view = null;
  let drawn = "";
  let waiting = Promise.resolve();
  async function draw(data, label, variant) {
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", label);
    const width = Math.floor(place.clientWidth);
    const colours = theme();
    const key = JSON.stringify([width, colours, variant]);
    if (!width) return;
    if (key === drawn && view) {
      for (const [name, rows] of Object.entries(data)) view.data(name, rows);
      await view.runAsync();
      return;
    }
    view?.finalize();
    const made = await vegaEmbed(
      place,
      { ...specification(width, colours, data), datasets: data, config: configOf(colours) },
      {
        actions: false,
        ast: true,
        renderer: "svg",
        defaultStyle: false,
        tooltip: { disableDefaultStyle: true, theme: "custom" },
      },
    );
    view = made.view;
    drawn = key;
    place.querySelector("svg")?.setAttribute("aria-hidden", "true");
  }
  // One after the other: a selection may change while the chart before it is still drawn.
  return (data, label, variant = "") => {
    waiting = waiting.then(() => draw(data, label, variant));
    return waiting;
  };
}

// Times are plain numbers to Vega, so that ticks stand where bars begin: at days, or at the first of months.
function timeAxis(bins, calendar, width) {
  const [first, end] = [bins.starts[0], bins.end(bins.starts.length - 1)];
  const isLong = end - first > 150;
  const isMonthStart = (day) => calendar.iso(day).endsWith("-01");
  const all = isLong
    ? Array.from({ length: end - first }, (_, index) => first + index).filter(isMonthStart)
    : bins.starts;
  const every = Math.max(1, Math.ceil(all.length / Math.max(2, Math.floor(width / (isLong ? 76 : 62)))));
  const format = isLong ? "%b %Y" : "%-d %b";
  return {
    scale: { domain: [calendar.time(first), calendar.time(end)], nice: false, zero: false },
    axis: {
      values: all.filter((_, index) => index % every === 0).map(calendar.time),
      labelExpr: `utcFormat(datum.value, '${format}')`,
      labelAlign: "left",
      labelOffset: -2,
      grid: false,
      title: null,
    },
  };
}

// Puts the names of bands to the right of the last bar, at the middle of their part of it, none upon another.
function labelPlaces(shares, least) {
  let top = 0;
  const places = shares.map((share) => {
    const middle = top + share / 2;
    top += share;
    return middle;
  });
  for (let index = 1; index < places.length; index++)
    places[index] = Math.max(places[index], places[index - 1] + least);
  const over = places[places.length - 1] - (1 - least / 2);
  if (over > 0) {
    places[places.length - 1] -= over;
    for (let index = places.length - 2; index >= 0; index--)
      places[index] = Math.min(places[index], places[index + 1] - least);
  }
  return places;
}
