// What is selected: from the address to the controls, and back.

// Keys of dimensions in the address: `is.product=Kettle`, `none.product=` (messages without one), `other.product=`.
function stateOf(address, page) {
  const given = new URLSearchParams(address.replace(/^#/, ""));
  const choice = (key, allowed, otherwise) => (allowed.includes(given.get(key)) ? given.get(key) : otherwise);
  const last = page.days.length - 1;
  const day = (key, otherwise) => {
    const found = page.calendar.day(given.get(key) ?? "");
    return found >= 0 && found <= last ? found : otherwise;
  };
  const standard = standardDays(page);
  const [from, to] = [day("from", standard.from), day("to", standard.to)];
  const by = page.dimensions.findIndex((dimension) => dimension.name === given.get("by"));
  return {
    from: Math.min(from, to),
    to: Math.max(from, to),
    compare: choice("compare", ["previous", "weekday", "none"], "previous"),
    shares: choice("shares", sharesOffered(page), page.standardShares),
    unclear: given.get("unclear") !== "no",
    matrix: Math.max(
      0,
      page.matrices.findIndex((matrix) => matrix.name === given.get("matrix")),
    ),
    by: by < 0 ? page.standardBy : by,
    only: page.dimensions.map((dimension) => {
      if (given.has(`none.${dimension.name}`)) return codeOr(dimension.values.indexOf(null));
      if (given.has(`other.${dimension.name}`)) return dimension.others ? dimension.values.length : null;
      return given.has(`is.${dimension.name}`)
        ? codeOr(dimension.values.indexOf(given.get(`is.${dimension.name}`)))
        : null;
    }),
  };
}

// Shares can be corrected where something is known of the model's confusions.
function sharesOffered(page) {
  return ["counts", "probability", ...(page.matrices.length ? ["corrected"] : [])];
}

const codeOr = (index) => (index < 0 ? null : index);

// The last four weeks where as many can be compared with, the last one of few weeks, or all days.
function standardDays(page) {
  const last = page.days.length - 1;
  const length = [28, 7].find((days) => page.days.length >= 2 * days) ?? page.days.length;
  return { from: last - length + 1, to: last };
}

function addressOf(state, page) {
  const given = new URLSearchParams();
  given.set("from", page.calendar.iso(state.from));
  given.set("to", page.calendar.iso(state.to));
  given.set("compare", state.compare);
  given.set("shares", state.shares);
  if (!state.unclear) given.set("unclear", "no");
  if (state.shares === "corrected" && page.matrices[state.matrix])
    given.set("matrix", page.matrices[state.matrix].name);
  if (page.dimensions[state.by]) given.set("by", page.dimensions[state.by].name);
  page.dimensions.forEach((dimension, index) => {
    const code = state.only[index];
    if (code === null) return;
    if (code === dimension.values.length) given.set(`other.${dimension.name}`, "");
    else if (dimension.values[code] === null) given.set(`none.${dimension.name}`, "");
    else given.set(`is.${dimension.name}`, dimension.values[code]);
  });
  return `#${given}`;
}

// The controls, all of them the browser's own. `changed(state)` is called with the new selection.
function controlsOf(form, page, changed) {
  const field = (id, label, control, hint) =>
    element(
      "div",
      { class: "field" },
      element("label", { for: id }, label),
      control,
      hint ? element("small", { id: `${id}-hint` }, hint) : null,
    );
  const select = (id, options) =>
    element(
      "select",
      { id },
      options.map(([value, text]) => element("option", { value }, text)),
    );
  const [least, most] = [page.calendar.iso(0), page.calendar.iso(page.days.length - 1)];
  const from = element("input", { type: "date", id: "from", min: least, max: most, required: true });
  const to = element("input", { type: "date", id: "to", min: least, max: most, required: true });
  const compare = select("compare", [
    ["previous", "the days before"],
    ["weekday", "the same weekdays before"],
    ["none", "nothing"],
  ]);
  const waysOf = { counts: "by counts", probability: "by mean probability", corrected: "corrected for confusions" };
  const shares = select(
    "shares",
    sharesOffered(page).map((way) => [way, waysOf[way]]),
  );
  const matrix = select(
    "matrix",
    page.matrices.map(({ name }, index) => [index, name]),
  );
  const unclear = element("input", { type: "checkbox", id: "unclear" });
  const by = select(
    "by",
    page.dimensions.map(({ name }, index) => [index, name]),
  );
  const only = page.dimensions.map((dimension, index) =>
    select(`only-${index}`, [
      ["", "all"],
      ...[...dimension.values, ...(dimension.others ? [undefined] : [])].map((_, code) => [
        code,
        dimensionLabel(dimension, code),
      ]),
    ]),
  );
  const matrixField = field("matrix", "Corrected by", matrix);
  const unclearField = element(
    "div",
    { class: "field check" },
    unclear,
    element("label", { for: "unclear" }, "Unclear messages apart"),
  );
  const reset = element("button", { type: "reset" }, "Reset");
  const problem = element("p", { class: "problem", role: "alert" });
  form.append(
    field("from", "From", from),
    field("to", "To", to),
    ...page.dimensions.map((dimension, index) => field(`only-${index}`, capital(dimension.name), only[index])),
    field("compare", "Compare with", compare),
    field("shares", "Shares", shares),
    matrixField,
    unclearField,
    ...(page.dimensions.length > 1 ? [field("by", "Groups", by)] : []),
    element("div", { class: "field" }, reset),
    problem,
  );

  function show(state) {
    from.value = page.calendar.iso(state.from);
    to.value = page.calendar.iso(state.to);
    compare.value = state.compare;
    shares.value = state.shares;
    matrix.value = state.matrix;
    matrixField.hidden = state.shares !== "corrected";
    unclear.checked = state.unclear && state.shares === "counts";
    unclear.disabled = state.shares !== "counts";
    by.value = state.by;
    only.forEach((control, index) => {
      control.value = state.only[index] ?? "";
    });
    problem.textContent = "";
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    changed(stateOf("", page));
  });
  form.addEventListener("change", () => {
    const [first, last] = [page.calendar.day(from.value), page.calendar.day(to.value)];
    if (!(first >= 0 && last >= first && last < page.days.length)) {
      problem.textContent = `Choose days from ${page.calendar.text(0)} to ${page.calendar.text(page.days.length - 1)}, the first one not after the last one.`;
      return;
    }
    const isCounted = shares.value === "counts";
    changed({
      from: first,
      to: last,
      compare: compare.value,
      shares: shares.value,
      unclear: isCounted && !unclear.disabled ? unclear.checked : true,
      matrix: Number(matrix.value) || 0,
      by: page.dimensions.length ? Number(by.value) : page.standardBy,
      only: only.map((control) => (control.value === "" ? null : Number(control.value))),
    });
  });
  return { show };
}
