// The start: data -> page -> sections, and again whenever the selection changes.

async function pageOf(given) {
  const calendar = calendarOf(given.first);
  const { dimensions, days } = given;
  const cube = cubeOf(await unpack(given.cube), dimensions.length, given.units);
  const terms = given.terms ? { ...given.terms, ...(await unpack(given.terms.packed)) } : null;
  const current = given.runs.find(({ run_id }) => run_id === given.release.run_id)?.model_fingerprint;
  const audits = auditsOf(given.audits, current);
  const matrices = matricesOf(given, audits);
  const modelOf = new Map(given.runs.map(({ run_id, model_fingerprint }) => [run_id, model_fingerprint]));
  return {
    ...given,
    calendar,
    cube,
    terms,
    audits,
    matrices,
    isHeld: (day) => day >= 0 && day < days.length && days[day] !== null,
    modelChanges: modelChanges(days, modelOf),
    standardBy: Math.max(
      0,
      dimensions.findIndex(({ name }) => name.includes("product")),
    ),
    standardShares: "counts", // not the corrected ones: see CORRECTION_MEASURED
  };
}

// Days from which on another model than that of the day before labels; nights without a record change nothing.
function modelChanges(days, modelOf) {
  const found = [];
  let before = null;
  days.forEach((run, day) => {
    const model = modelOf.get(run);
    if (!model) return;
    if (before && model !== before) found.push({ day, text: "new model" });
    before = model;
  });
  return found;
}

async function start() {
  const lead = document.getElementById("lead");
  if (typeof DecompressionStream === "undefined") {
    lead.textContent = "This page needs a browser of 2023 or newer, which can unpack its figures.";
    return;
  }
  const page = await pageOf(JSON.parse(document.getElementById("data").textContent));
  const main = document.getElementById("sections");
  const sections = [
    trustSection,
    headlineSection,
    overTimeSection,
    heatmapSection,
    moversSection,
    termsSection,
    copiesSection,
    qualitySection,
    examplesSection,
  ].map((make) => make(page));
  main.append(...sections.map(({ made }) => made));
  main.hidden = false;
  let state = stateOf(location.hash, page);
  let shown = 0;

  async function show() {
    const turn = ++shown;
    document.documentElement.dataset.ready = "no";
    controls.show(state);
    const figures = figuresOf(state, page);
    await Promise.all(sections.map(({ update }) => update(figures)));
    if (turn === shown) document.documentElement.dataset.ready = "yes";
  }
  const controls = controlsOf(document.getElementById("filters"), page, (chosen) => {
    state = chosen;
    history.replaceState(null, "", addressOf(state, page));
    show();
  });
  lead.textContent = `${page.calendar.text(0)} to ${page.calendar.text(page.days.length - 1)}. All figures follow the filters; the address keeps them, so that a link shows the same.`;
  document.getElementById("about").textContent =
    `Made by emotion-udf ${page.version} on ${page.built_at.replace("T", " ").replace("+00:00", " UTC")}. It holds counts${page.examples ? " and some masked messages" : ""}, and asks nothing of any server.`;
  window.addEventListener("hashchange", () => {
    state = stateOf(location.hash, page);
    show();
  });
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", show);
  let width = innerWidth;
  window.addEventListener("resize", () => {
    if (innerWidth !== width) {
      width = innerWidth;
      show();
    }
  });
  await show();
}

start().catch((error) => {
  document.getElementById("lead").textContent =
    "The figures could not be unpacked; the file may be damaged. Build the page again.";
  throw error;
});
