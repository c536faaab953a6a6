"""Inputs as nobody would write them on purpose: files of any form, rows of any content, names of any spelling.

Hypothesis draws what a file is like, and a seed for its rows: a night has many files, and more values than it can draw.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from emotion_udf.ingest.listing import hive_keys
from emotion_udf.window import Window

DAY: Final = date(2026, 10, 5)
SECRET: Final = "zqxj"  # noqa: S105 (the word of a customer)
"""Is part of every text that is long enough, of every author and of many ids. No log may show it."""

_MIDNIGHT: Final = datetime(2026, 10, 5)
_EPOCH: Final = datetime(1970, 1, 1)
_HIVE_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MOST_MILLISECONDS: Final = (2**63 - 1) // 1000  # Spark holds microseconds in 64 bits

Value = Callable[[random.Random], Any]
Change = tuple[float, int]


def _any_text(rng: random.Random) -> str:
    alphabet = "ab ü\n\t\0\"'\\🎉\u200b\u202e字%[]{}$`"
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(8)))


def _one_of(*values: Any) -> Value:
    return lambda rng: rng.choice(values)


_TEXTS: Final = ("", " ", "\u200b", f"{SECRET} feels fine", SECRET + "x" * 60, SECRET + "ü" * 46, SECRET + "🎉" * 40)
_IDS: Final = ("a", "b", " ", "", "ü" * 1_001, f"{SECRET} 1", f"{SECRET} 2")

_ids: dict[str, tuple[pa.DataType, Value]] = {
    "string": (pa.string(), lambda rng: rng.choice(_IDS) + _any_text(rng)),
    "large_string": (pa.large_string(), _any_text),
    "string_view": (pa.string_view(), _any_text),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), _one_of("a", "b")),
    "int8": (pa.int8(), _one_of(-128, 0, 127)),
    "int32": (pa.int32(), lambda rng: rng.randrange(-5, 5)),
    "int64": (pa.int64(), _one_of(-(2**63), 2**63 - 1, 0, 7)),
    "uint16": (pa.uint16(), _one_of(0, 2**16 - 1)),
    "uint64": (pa.uint64(), _one_of(0, 7, 2**64 - 1)),
    "decimal": (pa.decimal128(20, 0), lambda rng: Decimal(rng.randrange(-5, 10**19))),
    "decimal with places": (pa.decimal128(38, 4), lambda rng: Decimal(rng.randrange(-5, 10**19)) / 10_000),
    "binary": (pa.binary(), lambda rng: rng.randbytes(rng.randrange(5))),
    "uuid": (pa.uuid(), lambda rng: rng.randbytes(16)),
    "fixed": (pa.binary(7), lambda rng: rng.randbytes(7)),
}
_no_ids: dict[str, tuple[pa.DataType, Value]] = {
    "double": (pa.float64(), _one_of(1.0, float("nan"))),
    "date": (pa.date32(), _one_of(DAY)),
    "list": (pa.list_(pa.string()), _one_of(["a"], [])),
    "null": (pa.null(), _one_of(None)),
}
_texts: dict[str, tuple[pa.DataType, Value]] = {
    "string": (pa.string(), lambda rng: rng.choice(_TEXTS) + _any_text(rng)),
    "large_string": (pa.large_string(), _one_of(*_TEXTS)),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), _one_of(*_TEXTS)),
    "long": (pa.string(), lambda rng: SECRET * rng.randrange(100_000)),
}
_no_texts: dict[str, tuple[pa.DataType, Value]] = {
    "int32": (pa.int32(), _one_of(1)),
    "struct": (pa.struct([("a", pa.string())]), _one_of({"a": SECRET})),
    "list": (pa.list_(pa.string()), _one_of([SECRET])),
}
_dimensions: dict[str, tuple[pa.DataType, Value]] = {
    "string": (pa.string(), _one_of("tweet", "[/b]", "", "ü" * 1_001)),
    "int16": (pa.int16(), lambda rng: rng.randrange(-3, 3)),
    "bool": (pa.bool_(), _one_of(True, False)),
    "date": (pa.date32(), lambda rng: DAY + timedelta(days=rng.randrange(-1_000, 1_000))),
}
_no_dimensions: dict[str, tuple[pa.DataType, Value]] = {
    "list": (pa.list_(pa.string()), _one_of(["a"], [])),
    "float": (pa.float32(), _one_of(1.0, float("nan"))),
}
_extras: dict[str, tuple[pa.DataType, Value]] = (
    _dimensions
    | _no_dimensions
    | {
        "null": (pa.null(), _one_of(None)),
        "map": (pa.map_(pa.string(), pa.int32()), _one_of([("a", 1)], [("a", 1), ("a", 2)])),
        "struct": (pa.struct([("a", pa.string()), ("A", pa.int32())]), _one_of({"a": "x", "A": 1})),
        "nested": (pa.list_(pa.struct([("t", pa.timestamp("ns"))])), _one_of([{"t": 1}], [])),
        "time": (pa.time64("us"), _one_of(0, 86_399_999_999)),
        "duration": (pa.duration("s"), _one_of(1)),
        "half": (pa.float16(), _one_of(1.0)),
        "wide decimal": (pa.decimal256(60, 2), lambda _: Decimal("1.25")),
        "photo": (pa.binary(), lambda rng: b"\0" * rng.choice([1, 100_000])),
        "ms": (pa.timestamp("ms"), _one_of(0, 2**62)),
        "far date": (pa.date32(), _one_of(-(2**31), 2**31 - 1)),
    }
)
_names = st.sampled_from(
    ["a", "b b", "ü", "u\u0308", "a%20b", "a#b", "a?b", "a:b", "{a}", "[a]*", "_a", ".a", "a'b", '"', "503", "a=b",
     "$a", "a,b", "a\\b", "a\nb", "%", "%41", "-", "日本", "🎉", "a.parquet.", " a", "a;b", "~",
     "timed out", "Forbidden"]
)  # fmt: skip
_folders = st.sampled_from(
    ["", "", "source=x/", "source=/", "source=gr%C3%BCn/", "source=grün/", "source=x/day=1/", "deep/source=a b/", "_x/",
     ".x/", "[x]/", "a.parquet/", "SOURCE=x/", "id=7/", "source=x/source=y/", "source=__HIVE_DEFAULT_PARTITION__/",
     "text=hidden/", "extra=1/"]
)  # fmt: skip
_DATES: Final = (
    "2026-10-03",
    "2026-10-04",
    "2026-10-05",
    "2026-10-06",
    "2026-10-09",
    "__HIVE_DEFAULT_PARTITION__",
    "x",
)

changes: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
)
"""Bytes to change in a file: where, as a share of its length, and to what."""


@dataclass(frozen=True)
class WrittenFile:
    """A file of an input.

    Attributes:
        path: The file.
        times: Of its rows, in its unit.
        unit: Of its times, as Parquet stores it.
        is_instant: Whether they count in UTC.
        must_be_read: Nothing is wrong with it as a file, whatever its rows are like.
        is_damaged: Whether bytes of it were changed.
        day: The day that its folder is named for, where that counts; None where it tells none.
    """

    path: Path
    times: list[int | None] = field(repr=False)
    unit: str
    is_instant: bool
    must_be_read: bool
    is_damaged: bool
    day: date | None

    @property
    def uri(self) -> str:
        return f"file://{self.path}"

    def rows_of(self, window: Window) -> int:
        """Count the rows that belong to a window, as docs and settings promise it."""
        if self.day is not None and not window.first - timedelta(1) <= self.day <= window.last + timedelta(1):
            return 0
        undated = self.day is None or window.first <= self.day <= window.last
        first, after = window.start.replace(tzinfo=None), window.end.replace(tzinfo=None)
        if not self.is_instant:
            first, after = (datetime(d.year, d.month, d.day) for d in (window.first, window.last + timedelta(1)))
        scale = _PER_SECOND[self.unit]
        low, high = (int((moment - _EPOCH).total_seconds()) * scale for moment in (first, after))
        return sum(undated if self._is_no_time(time) else low <= time < high for time in self.times)  # type: ignore[operator]

    def _is_no_time(self, time: int | None) -> bool:
        return time is None or (self.unit == "ms" and abs(time) > _MOST_MILLISECONDS)


@st.composite
def written_files(draw: st.DrawFn, root: Path, most: int, date_partition: bool) -> list[WrittenFile]:
    """Write up to `most` files below `root`, every fourth of them damaged or of a wrong form."""
    return [_write_file(draw, root, number, date_partition) for number in range(draw(st.integers(1, most)))]


def _write_file(draw: st.DrawFn, root: Path, number: int, date_partition: bool) -> WrittenFile:
    rng = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 (a test needs no secrecy)
    day = draw(st.sampled_from(_DATES)) if date_partition and draw(st.integers(0, 9)) else None
    folder = ("" if day is None else f"dt={day}/") + draw(_folders)
    path = root / f"{folder}{draw(_names)}{number}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = draw(st.sampled_from([0, 1, 3, 12, 12, 40]))
    columns, is_right = _columns(draw, rng, rows)
    unit, zone = draw(st.sampled_from(list(_PER_SECOND))), draw(st.sampled_from([None, "UTC", "Asia/Tokyo"]))
    times = [_time(rng, unit) for _ in range(rows)]
    is_int96 = unit == "ns" and draw(st.booleans())
    at = rng.randrange(len(columns) + 1)
    columns.insert(at, ("created_at", pa.array(times, pa.int64()).cast(pa.timestamp(unit, zone))))
    if draw(st.integers(0, 19)) == 0:
        missing, _ = columns.pop(rng.randrange(len(columns)))
        is_right &= missing in ("source", "extra", "author")
    elif draw(st.integers(0, 19)) == 0:
        columns.append((rng.choice(["Text", "text", "ID", "extra"]), pa.array(["x"] * rows)))
        is_right = False
    codec = draw(st.sampled_from(["snappy", "zstd", "gzip", "none", "lz4"] * 4 + ["brotli"]))
    pq.write_table(
        pa.Table.from_arrays([column for _, column in columns], names=[name for name, _ in columns]),
        path,
        compression=codec,
        row_group_size=draw(st.sampled_from([1, 3, 100])),
        use_dictionary=draw(st.booleans()),
        write_statistics=draw(st.booleans()),
        data_page_version=draw(st.sampled_from(["1.0", "2.0"])),
        store_schema=draw(st.booleans()),
        use_deprecated_int96_timestamps=is_int96,
        data_page_size=draw(st.sampled_from([None, 64])),
    )
    is_damaged = draw(st.integers(0, 5)) == 0
    if is_damaged:
        _damage(
            path, draw(st.sampled_from(["bytes", "cut", "zeros", "empty", "text", "twice", "checksum"])), draw(changes)
        )
    has_name = _is_readable(str(path.relative_to(root)), date_partition)
    stored = [None if time is None else time * 1_000 for time in times] if unit == "s" else times
    return WrittenFile(
        path,
        stored,  # Parquet has no seconds
        "ms" if unit == "s" else unit,
        is_int96 or zone is not None,
        is_right and has_name and codec != "brotli" and not is_damaged,
        is_damaged,
        None if day is None or not day[0].isdigit() else date.fromisoformat(day),
    )


def _columns(draw: st.DrawFn, rng: random.Random, rows: int) -> tuple[list[tuple[str, pa.Array]], bool]:
    """Make the columns but for the times, and tell whether all have a type that they may have."""
    wrong = {"id": _no_ids, "text": _no_texts, "source": _no_dimensions}
    right = {"id": _ids, "text": _texts, "source": _dimensions, "extra": _extras}
    is_wrong = dict.fromkeys(right, False)
    if draw(st.integers(0, 9)) == 0:
        is_wrong[draw(st.sampled_from(list(wrong)))] = True
    columns = [("author", pa.array([f"{SECRET} {i}" for i in range(rows)], pa.string()))]
    for name, types in right.items():
        dtype, value = draw(st.sampled_from(list((wrong[name] if is_wrong[name] else types).values())))
        values = [None if rng.random() < 0.1 else value(rng) for _ in range(rows)]
        column = _binary(values, dtype) if draw(st.integers(0, 9)) == 0 else pa.array(values, dtype)
        columns.append((name, column))
    rng.shuffle(columns)
    return columns, not any(is_wrong.values())


def _binary(values: list[Any], dtype: pa.DataType) -> pa.Array:
    """Make a column, of strings one that is no UTF-8."""
    if dtype != pa.string():
        return pa.array(values, dtype)
    bytes_ = pa.array([None if value is None else value.encode() + b"\xff\xc3" for value in values], pa.binary())
    return pa.Array.from_buffers(pa.string(), len(bytes_), bytes_.buffers(), bytes_.null_count)


def _time(rng: random.Random, unit: str) -> int | None:
    scale = _PER_SECOND[unit]
    if rng.random() < 0.1:
        return None
    if rng.random() < 0.05:
        most = 2**63 // 1000 if unit == "s" else 2**63  # pyarrow writes seconds as milliseconds
        return rng.choice([most - 1, -most + 1, 0, -1])
    seconds = rng.choice([rng.randrange(-3, 86_403), 0, -1, 86_399, 86_400, -86_400, 2 * 86_400, -(10**9)])
    midnight = int((_MIDNIGHT - _EPOCH).total_seconds())
    return (midnight + seconds) * scale + rng.randrange(scale)


def _is_readable(relative: str, date_partition: bool) -> bool:
    """Tell whether Spark can name the file, and sees it."""
    keys = [part.partition("=") for part in relative.split("/")[:-1] if "=" in part]
    names = [key.lower() for key, _, _ in keys]
    name = relative.rpartition("/")[2]
    hidden = any(part.startswith((".", "_")) for part in relative.split("/"))
    is_dated = not date_partition or hive_keys(relative)[1].get("dt", "x") != "x"
    return not hidden and ":" not in name and all(v for _, _, v in keys) and len(set(names)) == len(names) and is_dated


def _damage(path: Path, kind: str, places: list[Change]) -> None:
    content = path.read_bytes()
    at = int(places[0][0] * len(content))
    if kind == "bytes":
        spoil(path, places)
    elif kind == "checksum":
        checksum = path.with_name(f".{path.name}.crc")
        checksum.write_bytes(b"crc\0\0\0\2\0" + content[:16])
        spoil(checksum, places)
    else:
        path.write_bytes(
            {
                "cut": content[:at],
                "zeros": content[:at] + bytes(min(100, len(content) - at)) + content[at + 100 :],
                "empty": b"",
                "text": f"{SECRET}, and no Parquet".encode(),
                "twice": content + content,
            }[kind]
        )


def spoil(path: Path, places: list[Change]) -> None:
    """Change bytes of a file, or cut it off."""
    content = bytearray(path.read_bytes())
    for place, value in places:
        content[int(place * len(content))] = value
    if places[0][1] < 16:
        del content[int(places[0][0] * len(content)) :]
    path.write_bytes(content)


def add_strangers(root: Path) -> None:
    """Put beside the data what else lies in folders: none of it is data, and all of it is left alone."""
    (root / "_SUCCESS").touch()
    (root / ".gone.parquet.crc").write_bytes(b"no checksum")
    (root / "_temporary/0").mkdir(parents=True, exist_ok=True)
    (root / "empty folder.parquet").mkdir(exist_ok=True)
    os.mkfifo(root / "pipe.parquet")
