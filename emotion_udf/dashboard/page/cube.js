// The rows of the page as typed arrays, and their sums under a filter.

async function unpack({ rows, layout, data }) {
  const text = atob(data);
  const packed = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) packed[index] = text.charCodeAt(index);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const columns = new Map();
  let offset = 0;
  for (const [name, width] of layout) {
    let values = planes.subarray(offset, offset + rows);
    if (width > 1) {
      values = new Float64Array(rows);
      for (let place = 0; place < width; place++) {
        const weight = 256 ** place;
        const start = offset + place * rows;
        for (let row = 0; row < rows; row++) values[row] += weight * planes[start + row];
      }
    }
    columns.set(name, values);
    offset += width * rows;
  }
  return { rows, columns };
}

const EMOTION_COUNT = 6;
const zeros = () => new Float64Array(EMOTION_COUNT);

// Sums over some cells. What rows of earlier versions lack is summed over the cells that have it, `…Of` says of how many
// messages that is.
function emptyTotals() {
  return {
    messages: 0,
    counts: zeros(),
    low: zeros(),
    mass: zeros(),
    distinct: 0,
    distinctOf: 0,
    copies: zeros(),
    copiesOf: zeros(),
    truncated: 0,
    truncatedOf: 0,
    foreign: 0,
    foreignOf: 0,
    unknown: 0,
    tokens: 0,
  };
}

function cubeOf({ rows, columns }, dimensionCount, units) {
  const of = (name) => Array.from({ length: EMOTION_COUNT }, (_, emotion) => columns.get(`${name}_${emotion}`));
  const days = columns.get("day") ?? new Uint8Array(0);
  const codes = Array.from({ length: dimensionCount }, (_, index) => columns.get(`by_${index}`));
  const [counts, low, probability, copies] = ["count", "low", "probability", "copies"].map(of);
  const [truncated, foreign, tokens, unknown] = ["truncated", "foreign", "tokens", "unknown"].map((name) =>
    columns.get(name),
  );

  function add(totals, row) {
    let messages = 0;
    for (let emotion = 0; emotion < EMOTION_COUNT; emotion++) {
      const count = counts[emotion][row];
      messages += count;
      totals.counts[emotion] += count;
      totals.low[emotion] += low[emotion][row];
    }
    totals.messages += messages;
    const areCopiesKnown = copies[0][row] > 0;
    for (let emotion = 0; emotion < EMOTION_COUNT; emotion++) {
      totals.mass[emotion] += (probability[emotion][row] * messages) / units.probability;
      if (areCopiesKnown) {
        const count = counts[emotion][row];
        totals.copies[emotion] += copies[emotion][row] - 1;
        totals.copiesOf[emotion] += count;
        totals.distinct += count - (copies[emotion][row] - 1);
      }
    }
    if (areCopiesKnown) totals.distinctOf += messages;
    if (truncated[row]) {
      totals.truncated += truncated[row] - 1;
      totals.truncatedOf += messages;
    }
    if (foreign[row]) {
      totals.foreign += foreign[row] - 1;
      totals.foreignOf += messages;
    }
    if (tokens[row] && unknown[row]) {
      const read = messages * (tokens[row] - 1);
      totals.tokens += read;
      totals.unknown += (read * (unknown[row] - 1)) / units.unknown;
    }
  }

  // Sums by key. `only` has a code a dimension, or null; `keyOf(row)` is an index below `keys`, or -1 to leave a row out.
  function sums(from, to, only, keys = 1, keyOf = () => 0) {
    const found = Array.from({ length: keys }, emptyTotals);
    const filters = only.map((code, index) => [codes[index], code]).filter(([, code]) => code !== null);
    for (let row = 0; row < rows; row++) {
      const day = days[row];
      if (day < from || day > to || filters.some(([column, code]) => column[row] !== code)) continue;
      const key = keyOf(row);
      if (key >= 0) add(found[key], row);
    }
    return found;
  }

  return { sums, days, codes };
}
