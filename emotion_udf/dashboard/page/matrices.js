// Audits by sample, and the confusion matrices that shares can be corrected by.

const AUDITS_NEEDED = 200; // audited messages from which on they correct shares better than a foreign test set
const LEAST_AUDITED = 5; // of each emotion
const LEAST_OF_EMOTION = 20; // sentences of each emotion that a matrix of a test set needs

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

// The messages of the rarest emotion of a matrix.
function fewest(confusion) {
  return Math.min(...confusion.map((row) => row.reduce((sum, count) => sum + count, 0)));
}

// The matrices that shares may be corrected by, (true, labelled) counts: of audits where there are enough, and of the sets
// on which the model was evaluated.
function matricesOf({ evaluation, emotions }, audits) {
  const found = [];
  const own = audits.filter(({ isCurrent }) => isCurrent).flatMap(({ rows }) => rows);
  const judged = own.filter(({ human_emotion }) => emotions.includes(human_emotion));
  const audited = judged.reduce((sum, { count }) => sum + count, 0);
  const ofAudits = auditMatrix(own, emotions);
  if (audited >= AUDITS_NEEDED && fewest(ofAudits) >= LEAST_AUDITED) {
    const about = `${countText(audited)} audited messages of these tables`;
    found.push({ name: "audits", about, confusion: ofAudits });
  }
  for (const { source, split, confusion } of evaluation?.sets ?? []) {
    if (!confusion || fewest(confusion) < LEAST_OF_EMOTION) continue;
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
