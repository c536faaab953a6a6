// The figures of a selection.

// The bands of a selection: the six emotions, and the messages that the model is not sure of where they stand apart.
function bandsOf(state, page) {
  return state.shares === "counts" && state.unclear ? [...page.emotions, UNCLEAR] : page.emotions;
}

// Shares of some totals, a band each, in one of the three ways.
function sharesOf(totals, state, page) {
  const { messages, counts, low, mass } = totals;
  if (!messages) return bandsOf(state, page).map(() => NaN);
  if (state.shares === "probability") {
    const all = mass.reduce((sum, value) => sum + value, 0);
    return Array.from(mass, (value) => value / all);
  }
  if (state.shares === "corrected") {
    return trueShares(
      Array.from(counts, (count) => count / messages),
      page.matrices[state.matrix].given,
    );
  }
  if (!state.unclear) return Array.from(counts, (count) => count / messages);
  const unsure = low.reduce((sum, value) => sum + value, 0);
  return [...Array.from(counts, (count, emotion) => (count - low[emotion]) / messages), unsure / messages];
}

// How many messages an interval may count on: copies of a text say nothing new.
function independent(totals) {
  return totals.distinctOf ? (totals.messages * totals.distinct) / totals.distinctOf : totals.messages;
}

// Net emotion from shares: joy and love against sadness, anger and fear, as a part of all five; surprise is neither.
// It is 2 q - 1 for the share q of joy and love among the five, so Wilson's interval of q gives its own.
const SIGNS = [-1, 1, 1, -1, -1, 0];

function netOf(shares, of) {
  const sum = (sign) => SIGNS.reduce((total, one, emotion) => (one === sign ? total + shares[emotion] : total), 0);
  const [good, bad] = [sum(1), sum(-1)];
  const q = wilson(good / (good + bad), of * (good + bad));
  return { net: 2 * q.share - 1, low: 2 * q.low - 1, high: 2 * q.high - 1, q };
}

// Shares and net emotion now and before, with intervals and changes.
function comparison(now, before, state, page) {
  const bands = bandsOf(state, page);
  const [ofNow, ofBefore] = [independent(now), before ? independent(before) : 0];
  const shares = sharesOf(now, state, page);
  const sharesBefore = before ? sharesOf(before, state, page) : bands.map(() => NaN);
  const isComparable = before !== null && before.messages > 0 && now.messages > 0;
  if (state.shares === "corrected" && now.messages) {
    return correctedComparison(now, isComparable ? before : null, shares, sharesBefore, page.matrices[state.matrix]);
  }
  const ends = shares.map((share) => wilson(share, ofNow));
  const endsBefore = sharesBefore.map((share) => wilson(share, ofBefore));
  const net = netOf(shares, ofNow);
  const netBefore = netOf(sharesBefore, ofBefore);
  const double = ({ change, low, high }) => ({ change: 2 * change, low: 2 * low, high: 2 * high });
  return {
    shares: ends,
    sharesBefore,
    changes: ends.map((end, band) => (isComparable ? difference(end, endsBefore[band]) : null)),
    net: { share: net.net, low: net.low, high: net.high },
    netChange: isComparable && Number.isFinite(net.net - netBefore.net) ? double(difference(net.q, netBefore.q)) : null,
  };
}

// The same by bootstrap: the counts and the matrix are both known by a sample only.
function correctedComparison(now, before, shares, sharesBefore, matrix) {
  const labelled = (totals) => ({
    shares: Array.from(totals.counts, (count) => count / totals.messages),
    of: independent(totals),
  });
  const draws = bootstrap([now, ...(before ? [before] : [])].map(labelled), matrix.confusion);
  const netShare = (values) => netOf(values, 1).net;
  const net = netShare(shares);
  return {
    shares: shares.map((share, band) => ({ share, ...percentiles(draws.map(([drawn]) => drawn[band])) })),
    sharesBefore,
    changes: shares.map((share, band) =>
      before ? { change: share - sharesBefore[band], ...percentiles(draws.map(([a, b]) => a[band] - b[band])) } : null,
    ),
    net: { share: net, ...percentiles(draws.map(([drawn]) => netShare(drawn))) },
    netChange: before
      ? { change: net - netShare(sharesBefore), ...percentiles(draws.map(([a, b]) => netShare(a) - netShare(b))) }
      : null,
  };
}

// All sums that a selection needs, each in one pass over the cells.
function figuresOf(state, page) {
  const { cube } = page;
  const compared = comparedDays(state.from, state.to, state.compare, page.isHeld);
  const weekdays = comparedDays(state.from, state.to, "weekday", page.isHeld);
  const sum = (days) => (days ? cube.sums(days.from, days.to, state.only)[0] : null);
  const start = compared ? Math.max(0, Math.min(compared.from, state.from)) : state.from;
  const bins = binsOf(start, state.to, page.calendar);
  const now = sum(state);
  const before = sum(compared);
  const byGroup = (days) => {
    const dimension = page.dimensions[state.by];
    if (!days) return null;
    if (!dimension) return cube.sums(days.from, days.to, state.only);
    const codes = cube.codes[state.by];
    return cube.sums(
      days.from,
      days.to,
      state.only,
      dimension.values.length + (dimension.others ? 1 : 0),
      (row) => codes[row],
    );
  };
  return {
    state,
    bands: bandsOf(state, page),
    compared,
    weekdays,
    bins,
    now,
    before,
    heldNow: heldDays(state.from, state.to, page),
    heldBefore: compared ? heldDays(compared.from, compared.to, page) : 0,
    ...comparison(now, before, state, page),
    byBin: cube.sums(start, state.to, state.only, bins.starts.length, (row) => bins.indexOf(cube.days[row])),
    groups: byGroup(state),
    groupsBefore: byGroup(weekdays),
  };
}

function heldDays(from, to, page) {
  let held = 0;
  for (let day = Math.max(0, from); day <= to; day++) held += page.isHeld(day) ? 1 : 0;
  return held;
}

function selectionText(state, page) {
  const chosen = page.dimensions.flatMap((dimension, index) =>
    state.only[index] === null ? [] : [`${dimension.name} ${dimensionLabel(dimension, state.only[index])}`],
  );
  return chosen.length ? chosen.join(", ") : "all messages";
}
