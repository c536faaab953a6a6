// Numbers in words.

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const UNKNOWN = "–";
const UNCLEAR = "unclear";

function countText(value) {
  return Number.isFinite(value) ? whole.format(value) : UNKNOWN;
}

function decimalText(value) {
  return Number.isFinite(value)
    ? tenth.format(Object.is(Math.round(value * 10), -0) ? 0 : value).replace("-", "−")
    : UNKNOWN;
}

const percentText = (share) => (Number.isFinite(share) ? `${decimalText(100 * share)} %` : UNKNOWN);
// With its sign, as a change has one; what rounds to nothing has none.
function signedText(share) {
  return `${Math.round(1000 * share) > 0 ? "+" : ""}${decimalText(100 * share)}`;
}
const rangeText = ({ low, high }) =>
  Number.isFinite(low) ? `${decimalText(100 * low)} to ${decimalText(100 * high)}` : UNKNOWN;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const plural = (count, one, many = `${one}s`) => `${countText(count)} ${count === 1 ? one : many}`;

// A change with its direction; the interval is given from the smaller to the larger amount of it.
function changeWords({ change, low, high }, unit, [up, down] = ["rose", "fell"]) {
  const isDown = change < 0;
  const [least, most] = isDown ? [-high, -low] : [low, high];
  return `${isDown ? down : up} by ${decimalText(100 * Math.abs(change))} ${unit} (${decimalText(100 * least)} to ${decimalText(100 * most)})`;
}

const isClear = ({ low, high }) => low > 0 || high < 0;

function dimensionLabel(dimension, code) {
  if (code === dimension.values.length) return `other (${plural(dimension.others, "value")})`;
  return dimension.values[code] ?? `(no ${dimension.name})`;
}
