// Days are numbers, counted from the first day of the page.

const MILLISECONDS = 86_400_000;

function calendarOf(first) {
  const start = Date.parse(`${first}T00:00:00Z`);
  const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
  const short = format({ day: "numeric", month: "short" });
  const long = format({ day: "numeric", month: "short", year: "numeric" });
  const named = format({ weekday: "short", day: "numeric", month: "short" });
  const time = (day) => start + day * MILLISECONDS;
  return {
    time,
    iso: (day) => new Date(time(day)).toISOString().slice(0, 10),
    day: (iso) =>
      /^\d{4}-\d\d-\d\d$/.test(iso) ? Math.round((Date.parse(`${iso}T00:00:00Z`) - start) / MILLISECONDS) : NaN,
    monday: (day) => day - ((new Date(time(day)).getUTCDay() + 6) % 7),
    text: (day) => long.format(time(day)),
    weekday: (day) => named.format(time(day)),
    span: (from, to) =>
      from === to ? named.format(time(from)) : `${short.format(time(from))} to ${long.format(time(to))}`,
  };
}

// The days to compare with, and null where none of them is published.
function comparedDays(from, to, compare, isHeld) {
  const length = to - from + 1;
  if (compare === "none") return null;
  const back = compare === "weekday" ? Math.ceil(length / 7) * 7 : length;
  const days = { from: from - back, to: to - back, back };
  for (let day = Math.max(0, days.from); day <= days.to; day++) if (isHeld(day)) return days;
  return null;
}

// Bins of a time axis: days, or weeks from Monday on where there are too many days to tell apart.
const MOST_DAY_BINS = 92;

function binsOf(from, to, calendar) {
  const weekly = to - from + 1 > MOST_DAY_BINS;
  const startOf = (day) => (weekly ? Math.max(from, calendar.monday(day)) : day);
  const starts = [];
  for (let day = from; day <= to; day++) if (startOf(day) === day) starts.push(day);
  const indexOf = new Int32Array(to - from + 1);
  for (let day = from, index = -1; day <= to; day++) {
    if (startOf(day) === day) index++;
    indexOf[day - from] = index;
  }
  return {
    unit: weekly ? "week" : "day",
    starts,
    end: (index) => (index + 1 < starts.length ? starts[index + 1] : to + 1),
    indexOf: (day) => indexOf[day - from],
    text: (index) => {
      const last = (index + 1 < starts.length ? starts[index + 1] : to + 1) - 1;
      return weekly ? calendar.span(starts[index], last) : calendar.weekday(starts[index]);
    },
  };
}

// The first column of tables over time.
function binColumn(bins, calendar) {
  return {
    name: bins.unit === "day" ? "Day" : "Week",
    text: ({ index }) => bins.text(index),
    value: ({ index }) => calendar.iso(bins.starts[index]),
  };
}
