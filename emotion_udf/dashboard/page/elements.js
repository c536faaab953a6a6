// Elements of the page. Text of the data only ever becomes text nodes and attribute values, never markup.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

function figureOf(value, text) {
  // A number, or a day, for people that also says what it is to the last digit.
  return element("data", { value: typeof value === "string" || Number.isFinite(value) ? value : "" }, text);
}

function section(id, title, about) {
  const body = element("div", { class: "body" });
  const made = element(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title),
    about ? element("p", { class: "about" }, about) : null,
    body,
  );
  return { made, body };
}

// A table of numbers: columns are {name, text(row), value(row)}; `value` goes to the CSV where it differs from the text.
function tableOf(caption, columns, rows, attributes = {}) {
  const head = element(
    "tr",
    {},
    columns.map((column) => element("th", { scope: "col" }, column.name)),
  );
  const lines = rows.map((row) =>
    element(
      "tr",
      {},
      columns.map((column, index) => {
        const text = column.text(row);
        const content = column.value ? figureOf(column.value(row), text) : text;
        return index === 0
          ? element("th", { scope: "row" }, content)
          : element("td", { class: column.value ? "number" : null }, content);
      }),
    ),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      attributes,
      element("caption", {}, caption),
      element("thead", {}, head),
      element("tbody", {}, lines),
    ),
  );
}

function csvOf(columns, rows) {
  const quoted = (value) => {
    let text = String(value ?? "");
    // A spreadsheet takes what begins like this for a formula; numbers may begin with a minus.
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const cell = (column, row) => {
    const value = column.value ? column.value(row) : column.text(row);
    return quoted(typeof value === "number" && !Number.isFinite(value) ? "" : value);
  };
  const lines = [
    columns.map((column) => quoted(column.name)),
    ...rows.map((row) => columns.map((column) => cell(column, row))),
  ];
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}

// The numbers behind a chart: closed at first, made when somebody opens them, to copy and to save.
function numbersOf(name, caption, columns, rows) {
  const status = element("span", { role: "status", class: "said" });
  const copy = async () => {
    const text = csvOf(columns, rows).replaceAll("\r\n", "\n");
    status.textContent = (await copyText(text)) ? "Copied." : "The browser does not allow copying; save the CSV.";
  };
  const save = () => {
    const address = URL.createObjectURL(new Blob(["\ufeff", csvOf(columns, rows)], { type: "text/csv" }));
    element("a", { href: address, download: `${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    status.textContent = `Saved as ${name}.csv.`;
  };
  const place = element("div");
  const details = element(
    "details",
    { class: "numbers", "data-numbers": name },
    element("summary", {}, "Numbers: ", element("span", { class: "caption" }, caption)),
    element(
      "p",
      { class: "tools" },
      element(
        "button",
        { type: "button", onclick: copy },
        "Copy",
        element("span", { class: "unseen" }, ` numbers of: ${caption}`),
      ),
      element(
        "button",
        { type: "button", onclick: save },
        "Save CSV",
        element("span", { class: "unseen" }, ` of: ${caption}`),
      ),
      status,
    ),
    place,
  );
  details.addEventListener("toggle", () => {
    if (details.open && !place.firstChild) place.append(tableOf(caption, columns, rows));
  });
  return details;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy"); // where a page from a disk may not use the clipboard
    field.remove();
    return done;
  }
}
