// Shares corrected for the labels that a classifier is known to confuse (adjusted classify-and-count).
// The same as emotion_udf/dashboard/quantify.py, which is measured and tested.

const ROUNDS = 500;
const DRAWS = 200;
const SMOOTHING = 0.1;

// Rows of a confusion matrix, (true, labelled) counts, as the probabilities of labels given the true emotion.
function labelGivenTrue(confusion) {
  return confusion.map((row) => {
    const total = row.reduce((sum, count) => sum + count + SMOOTHING, 0);
    return row.map((count) => (count + SMOOTHING) / total);
  });
}

// The true shares under which the observed ones are most likely, by expectation-maximisation: they are never negative
// and sum to 1 by construction, and solve the equations of the matrix exactly where that has such a solution.
function trueShares(observed, given) {
  const size = observed.length;
  let shares = new Array(size).fill(1 / size);
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Array(size).fill(0);
    let moved = 0;
    for (let label = 0; label < size; label++) {
      let expected = 0;
      for (let emotion = 0; emotion < size; emotion++) expected += shares[emotion] * given[emotion][label];
      for (let emotion = 0; emotion < size; emotion++) {
        next[emotion] += (observed[label] * shares[emotion] * given[emotion][label]) / expected;
      }
    }
    for (let emotion = 0; emotion < size; emotion++) moved = Math.max(moved, Math.abs(next[emotion] - shares[emotion]));
    shares = next;
    if (moved < 1e-9) break;
  }
  return shares;
}

// A seeded generator (mulberry32), so that the same view shows the same intervals.
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

// A gamma variate of some shape (Marsaglia and Tsang 2000).
function gamma(shape, random) {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

// Shares resampled as if the counts were drawn anew. A Dirichlet draw is the Bayesian bootstrap of a multinomial
// (Rubin 1981): as good, and as quick for millions of messages as for ten.
function resampled(shares, of, random) {
  const draws = shares.map((share) => (share > 0 ? gamma(share * of, random) : 0));
  const total = draws.reduce((sum, draw) => sum + draw, 0);
  return total > 0 ? draws.map((draw) => draw / total) : shares;
}

function resampledMatrix(confusion, random) {
  return confusion.map((row) => {
    const draws = row.map((count) => gamma(count + SMOOTHING, random));
    const total = draws.reduce((sum, draw) => sum + draw, 0);
    return draws.map((draw) => draw / total);
  });
}

// Corrected shares of one or more periods, drawn anew together: the same matrix holds for all of them.
//   periods: [{shares, of}]; returns for each draw the corrected shares of each period.
function bootstrap(periods, confusion, seed = 1) {
  const random = seeded(seed);
  return Array.from({ length: DRAWS }, () => {
    const given = resampledMatrix(confusion, random);
    return periods.map(({ shares, of }) => trueShares(resampled(shares, of, random), given));
  });
}

function percentiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(part * (sorted.length - 1))))];
  return { low: at(0.025), high: at(0.975) };
}
