// Statistics of shares. All intervals are of 95 %.

const Z = 1.959963984540054;

// The interval of Wilson (1927) of a share. `of` may be less than the messages: those that are no copies.
function wilson(share, of) {
  if (!(of > 0)) return { share: NaN, low: NaN, high: NaN };
  const z2 = Z * Z;
  const middle = (share + z2 / (2 * of)) / (1 + z2 / of);
  const reach = (Z / (1 + z2 / of)) * Math.sqrt((share * (1 - share)) / of + z2 / (4 * of * of));
  return { share, low: Math.max(0, middle - reach), high: Math.min(1, middle + reach) };
}

// The difference of two independent shares, by their Wilson intervals (Newcombe 1998, method 10).
function difference(now, before) {
  const change = now.share - before.share;
  return {
    change,
    low: change - Math.hypot(now.share - now.low, before.high - before.share),
    high: change + Math.hypot(now.high - now.share, before.share - before.low),
  };
}

// The complementary error function, to 1.2e-7 of its value (Press et al., Numerical Recipes, erfcc).
function erfc(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const terms = [
    1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
  ];
  const series = terms.reduceRight((sum, term) => term + t * sum, 0);
  const tail = t * Math.exp(-x * x - 1.26551223 + t * series);
  return x >= 0 ? tail : 2 - tail;
}

// The two-sided p-value of the hypothesis that two shares are one (pooled z-test).
function sameShare(now, nowOf, before, beforeOf) {
  const pooled = (now * nowOf + before * beforeOf) / (nowOf + beforeOf);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / nowOf + 1 / beforeOf));
  return spread > 0 ? erfc(Math.abs(now - before) / spread / Math.SQRT2) : 1;
}

// The false discovery rate at which each of some p-values would be taken for real (Benjamini and Hochberg 1995).
function benjaminiHochberg(values) {
  const order = values.map((_, index) => index).sort((a, b) => values[b] - values[a]);
  const rates = new Array(values.length);
  let least = 1;
  order.forEach((index, place) => {
    least = Math.min(least, (values[index] * values.length) / (values.length - place));
    rates[index] = least;
  });
  return rates;
}

// The ratio of two counts, each taken as a Poisson count, as a relative change.
function relativeChange(now, before) {
  const ratio = now / before;
  const reach = Math.exp(Z * Math.sqrt(1 / now + 1 / before));
  return { change: ratio - 1, low: ratio / reach - 1, high: ratio * reach - 1 };
}

// What a group adds to the change of the whole's share: by its weight (mix) and by its own share (within).
// Each is taken at the mean of both periods and the mix against the whole, so that all of them add up exactly.
//   parts: [{now: {share, weight}, before: {share, weight}}], where a group without messages has weight 0.
function decompose(parts) {
  const wholeOf = (period) => parts.reduce((sum, part) => sum + part[period].weight * part[period].share, 0);
  const whole = (wholeOf("now") + wholeOf("before")) / 2;
  return parts.map(({ now, before }) => ({
    mix: (now.weight - before.weight) * ((now.share + before.share) / 2 - whole),
    within: ((now.weight + before.weight) / 2) * (now.share - before.share),
  }));
}

// The log-odds of a term in one group against another, in standard deviations, with the corpus as an informative
// Dirichlet prior (Monroe, Colaresi and Quinn 2008, equations 16, 20 and 22).
// The prior is worth a tenth of the counts, and 500 of them at most.
const MOST_PRIOR = 500;

function logOdds(own, ownTotal, other, otherTotal) {
  const corpus = ownTotal + otherTotal;
  const worth = Math.min(MOST_PRIOR, corpus / 10);
  const prior = (worth * (own + other)) / corpus;
  const odds = (count, total) => (count + prior) / (total + worth - count - prior);
  const distance = Math.log(odds(own, ownTotal)) - Math.log(odds(other, otherTotal));
  return distance / Math.sqrt(1 / (own + prior) + 1 / (other + prior));
}
