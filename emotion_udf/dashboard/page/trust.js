// Where the numbers come from, and what speaks against them.

const GATE_WORDS = new Map([
  ["canary_error_share", "canary sentences labelled wrongly"],
  ["canary_change", "change of the canary's probabilities"],
  ["unread_rows", "rows not read"],
  ["unaccounted_rows", "rows neither labelled nor refused"],
  ["aggregate_difference", "labels not counted"],
  ["bad_probabilities", "labels with bad probabilities"],
  ["quarantined_row_share", "share of rows refused"],
  ["refused_file_share", "share of files refused"],
  ["empty_dates", "days without a message"],
  ["fewest_messages", "messages of the smallest day"],
  ["fewest_of_weekday", "messages against the same weekdays"],
  ["fewest_of_published", "messages against what was published"],
  ["label_drift", "drift of the labels"],
  ["confidence_drift", "drift of the confidence"],
  ["truncation_drift", "drift of cut messages"],
  ["quarantine_drift", "drift of the quarantine"],
  ["baseline_drift", "drift from the fixed shares"],
]);

function trustSection(page) {
  const { made, body } = section("trust", "Can I trust this?");
  const strip = element("dl", { class: "strip" });
  const gates = element("div");
  const notes = element("ul", { class: "notes" });
  body.append(strip, notes, gates);

  const run = page.runs.find(({ run_id }) => run_id === page.release.run_id);
  const measured = page.evaluation?.sets.filter(({ judged }) => judged) ?? [];
  const newest = page.runs[page.runs.length - 1];
  const number = (value) => (value === null ? "nothing to compare with" : String(Number(value.toPrecision(3))));

  function update(figures) {
    const { state, now, heldNow } = figures;
    const length = state.to - state.from + 1;
    const quarantined = quarantineOf(page, state.from, state.to);
    const everything = page.cube.sums(
      state.from,
      state.to,
      page.dimensions.map(() => null),
    )[0].messages;
    const refused = quarantined.messages / (quarantined.messages + everything);
    const facts = [
      [
        "Data as of",
        page.calendar.text(page.days.length - 1),
        heldNow === length
          ? `all ${plural(length, "day")} published`
          : `${countText(heldNow)} of ${plural(length, "day")} published`,
      ],
      [
        "Release",
        `${page.release.number}`,
        `published ${page.release.released_at.replace("T", " ").replace("+00:00", " UTC")}, by run ${page.release.run_id}`,
      ],
      ["Model", run ? `${run.model} ${run.model_fingerprint?.slice(0, 8) ?? ""}` : "not recorded", modelWords(run)],
      ["Checks", gateHeadline(run), gateWords(run)],
      [
        "Refused",
        percentText(refused),
        `${plural(quarantined.messages, "message")}${quarantined.files ? `, and ${plural(quarantined.files, "whole file")}` : ""} of these days in quarantine`,
      ],
      [
        "Other languages",
        now.foreignOf ? percentText(now.foreign / now.foreignOf) : "not recorded",
        now.foreignOf ? "of these messages; the model reads English only" : "for these days",
      ],
      [
        "Drift",
        driftValue(run),
        "distance of the last night's labels from the weeks before (0 to 0.83), and its limit",
      ],
    ];
    strip.replaceChildren(
      ...facts.map(([name, value, more]) =>
        element(
          "div",
          {},
          element("dt", {}, name),
          element("dd", {}, element("strong", {}, value), element("span", {}, more)),
        ),
      ),
    );
    notes.replaceChildren(...warnings(state).map((text) => element("li", {}, text)));
  }

  function modelWords(of) {
    if (!of?.model_fingerprint) return "no run on record for this release";
    const right = new Map();
    for (const { source, judged } of measured)
      if (!right.has(source)) right.set(source, `${percentText(judged.share)} (${source})`);
    return right.size
      ? `labels right in ${[...right.values()].join(", ")}`
      : "nothing is known of its accuracy; evaluate it on messages like these";
  }

  const failed = (of) => of.gates.filter(({ passed }) => !passed);
  const forced = (of) => of.gates.filter((gate) => gate.forced);
  function gateHeadline(of) {
    if (!of) return "not recorded";
    if (forced(of).length) return `${plural(forced(of).length, "gate")} forced`;
    return failed(of).length ? `${failed(of).length} failed` : `all ${of.gates.length} passed`;
  }
  function gateWords(of) {
    if (!of) return "";
    const named = forced(of).map(
      ({ name, value, limit }) => `${GATE_WORDS.get(name) ?? name}: ${number(value)}, limit ${number(limit)}`,
    );
    return named.length
      ? `published although: ${named.join("; ")}`
      : "of the run that made this release; figures below";
  }
  function driftValue(of) {
    const gate = of?.gates.find(({ name }) => name === "label_drift");
    if (!gate || gate.value === null) return "nothing to compare with yet";
    return `${number(gate.value)}, limit ${number(gate.limit)}`;
  }

  function warnings(state) {
    const found = [];
    if (newest && newest.run_id !== page.release.run_id && newest.outcome !== "published") {
      found.push(
        `The newest run (${newest.run_id}) ended as “${newest.outcome.replaceAll("_", " ")}”: its days are not on this page.`,
      );
    }
    const shown = new Set(page.days.slice(state.from, state.to + 1));
    const earlier = page.runs.filter(
      (one) => shown.has(one.run_id) && one.run_id !== page.release.run_id && forced(one).length,
    );
    if (earlier.length)
      found.push(
        `${plural(earlier.length, "other run")} of these days ${earlier.length === 1 ? "was" : "were"} published by force: ${earlier
          .map(
            (one) =>
              `${one.run_id} (${forced(one)
                .map(({ name }) => name)
                .join(", ")})`,
          )
          .join("; ")}.`,
      );
    for (const { name, values, others } of page.dimensions) {
      if (others)
        found.push(
          `Of ${name}, the ${countText(values.length)} values with the most messages are shown; ${countText(others)} more are added up as “other”.`,
        );
    }
    if (page.left_out.length)
      found.push(`Too many combinations for one page: it does not tell apart ${page.left_out.join(", ")}.`);
    if (page.held_from < page.first)
      found.push(`The tables go back to ${page.held_from}; this page begins at ${page.first}.`);
    return found;
  }

  if (run?.gates.length) {
    const columns = [
      { name: "Gate", text: ({ name }) => GATE_WORDS.get(name) ?? name },
      { name: "Name in runs", text: ({ name }) => name },
      { name: "Value", text: ({ value }) => number(value), value: ({ value }) => value ?? NaN },
      { name: "Limit", text: ({ limit }) => number(limit), value: ({ limit }) => limit ?? NaN },
      {
        name: "Result",
        text: ({ passed, forced: byForce }) => (passed ? "passed" : byForce ? "failed, forced" : "failed"),
      },
    ];
    gates.append(numbersOf("gates", `Gates of run ${run.run_id}`, columns, run.gates));
  }
  if (measured.length) {
    const columns = [
      { name: "Messages of", text: ({ source, split }) => `${source} (${split})` },
      { name: "Labels right", text: ({ judged }) => percentText(judged.share), value: ({ judged }) => judged.share },
      { name: "from", text: ({ judged }) => percentText(judged.low), value: ({ judged }) => judged.low },
      { name: "to", text: ({ judged }) => percentText(judged.high), value: ({ judged }) => judged.high },
      { name: "Messages", text: ({ judged }) => countText(judged.of), value: ({ judged }) => judged.of },
    ];
    gates.append(
      numbersOf("accuracy", "How often the model is right on messages that people have labelled", columns, measured),
    );
  }
  return { made, update };
}

function quarantineOf(page, from, to) {
  const found = { messages: 0, files: 0 };
  for (const { day, is_file, count } of page.quarantine) {
    if (day >= from && day <= to) found[is_file ? "files" : "messages"] += count;
  }
  return found;
}
