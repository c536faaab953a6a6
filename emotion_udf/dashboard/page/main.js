// The start: data -> page -> sections, and again whenever the selection changes.

const AUDITS_NEEDED = 200; // audited messages from which on they correct shares better than a foreign test set
const LEAST_OF_EMOTION = 20; // sentences of each emotion that a confusion matrix needs

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

function auditsOf(rows, current) {
  const samples = new Map();
  for (const row of rows) {
    const key = `${row.sample_id}\n${row.model_fingerprint}`;
    if (!samples.has(key))
      samples.set(key, {
        sample: row.sample_id,
        from: row.from_date,
        to: row.to_date,
        isCurrent: row.model_fingerprint === current,
        rows: [],
      });
    samples.get(key).rows.push(row);
  }
  return [...samples.values()].sort((a, b) => (a.to < b.to ? 1 : -1));
}

// The matrices that shares may be corrected by, (true, labelled) counts: of audits where there are enough, and of the sets
// on which the model was evaluated.
function matricesOf({ evaluation, emotions }, audits) {
  const found = [];
  const own = audits.filter(({ isCurrent }) => isCurrent).flatMap(({ rows }) => rows);
  const judged = own.filter(({ human_emotion }) => emotions.includes(human_emotion));
  const audited = judged.reduce((sum, { count }) => sum + count, 0);
  if (audited >= AUDITS_NEEDED) {
    found.push({
      name: "audits",
      about: `${countText(audited)} audited messages of these tables`,
      confusion: auditMatrix(own, emotions),
    });
  }
  for (const { source, split, confusion } of evaluation?.sets ?? []) {
    if (!confusion || confusion.some((row) => row.reduce((sum, count) => sum + count, 0) < LEAST_OF_EMOTION)) continue;
    const size = confusion.flat().reduce((sum, count) => sum + count, 0);
    found.push({
      name: `${source}, ${split}`,
      about: `${countText(size)} messages of ${source} (${split}), which may be of another domain than yours`,
      confusion,
    });
  }
  return found.map((matrix) => ({ ...matrix, given: labelGivenTrue(matrix.confusion) }));
}

// Audits weighted by their strata, scaled back to as many messages as each row of the matrix has.
function auditMatrix(rows, emotions) {
  const audited = new Map();
  const key = ({ sample_id, stratum }) => `${sample_id}\n${stratum}`;
  for (const row of rows) audited.set(key(row), (audited.get(key(row)) ?? 0) + row.count);
  return emotions.map((human) => {
    const own = rows.filter(({ human_emotion }) => human_emotion === human);
    const weights = emotions.map((label) =>
      own
        .filter(({ emotion }) => emotion === label)
        .reduce((sum, row) => sum + (row.count * row.stratum_count) / audited.get(key(row)), 0),
    );
    const [total, size] = [
      weights.reduce((sum, weight) => sum + weight, 0),
      own.reduce((sum, { count }) => sum + count, 0),
    ];
    return weights.map((weight) => (total ? (weight * size) / total : 0));
  });
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

  async function show() {
    controls.show(state);
    const figures = figuresOf(state, page);
    document.documentElement.dataset.ready = "no";
    await Promise.all(sections.map(({ update }) => update(figures)));
    document.documentElement.dataset.ready = "yes";
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
