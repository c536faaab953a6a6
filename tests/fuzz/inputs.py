"""Inputs as nobody would write them on purpose: files of any form, rows of any content, names of any spelling."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

DAY = date(2026, 10, 5)
_MIDNIGHT = int((datetime(2026, 10, 5) - datetime(1970, 1, 1)).total_seconds())
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_ids: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "string": (pa.string(), st.text(max_size=4) | st.sampled_from(["a", "b", " ", "x" * 1_001])),
    "large_string": (pa.large_string(), st.text(max_size=4)),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b"])),
    "int32": (pa.int32(), st.integers(-5, 5)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "decimal": (pa.decimal128(20, 0), st.integers(-5, 10**19).map(Decimal)),
    "binary": (pa.binary(), st.binary(max_size=4)),
    "double": (pa.float64(), st.floats(allow_nan=True)),  # cannot be an id
}
_dimensions: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "string": (pa.string(), st.sampled_from(["tweet", "[/b]", "", "ü" * 1_001])),
    "int16": (pa.int16(), st.integers(-3, 3)),
    "bool": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.dates()),
    "list": (pa.list_(pa.string()), st.lists(st.text(max_size=2), max_size=2)),  # cannot be a dimension
}
_texts = st.sampled_from(["i feel fine", "", " \u200b", "x" * 51, "ü" * 50, "🎉"]) | st.text(max_size=20)
_seconds = st.integers(-3, 86_400 + 3) | st.sampled_from([-86_400, 3 * 86_400, -(10**9), 0, 86_399, 86_400])
_names = st.sampled_from(
    ["a", "b b", "ü", "a%20b", "a#b", "a?b", "a:b", "{a}", "[a]*", "_a", ".a", "a'b", "503", "a=b"]
)
changes = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8)
"""Bytes to change in a file: where, as a share of its length, and to what."""

_folders = st.sampled_from(
    ["", "source=x/", "source=/", "source=gr%C3%BCn/", "source=x/day=1/", "deep/source=a b/", "_x/"]
)


@dataclass(frozen=True)
class WrittenFile:
    """A file of an input.

    Attributes:
        path: The file.
        rows: Its rows.
        is_damaged: Whether bytes of it were changed.
    """

    path: Path
    rows: int
    is_damaged: bool


def nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.none()


@st.composite
def times(draw: st.DrawFn, rows: int) -> pa.Array:
    unit = draw(st.sampled_from(list(_PER_SECOND)))
    zone = draw(st.sampled_from([None, "UTC", "Asia/Tokyo"]))
    scale = _PER_SECOND[unit]
    near = st.integers(0, scale - 1).flatmap(lambda part: _seconds.map(lambda s: (_MIDNIGHT + s) * scale + part))
    most = 2**63 // 1000 if unit == "s" else 2**63  # pyarrow writes seconds as milliseconds
    far = st.sampled_from([most - 1, -most + 1, 0, -1])
    values = draw(st.lists(nullable(near) | near | far, min_size=rows, max_size=rows))
    return pa.array(values, pa.int64()).cast(pa.timestamp(unit, zone))


@st.composite
def columns(draw: st.DrawFn, rows: int) -> dict[str, pa.Array]:
    def filled(dtype: pa.DataType, values: st.SearchStrategy[Any]) -> pa.Array:
        drawn = draw(st.lists(nullable(values), min_size=rows, max_size=rows))
        return pa.array(drawn, dtype)

    found = {
        "id": filled(*draw(st.sampled_from(list(_ids.values())))),
        "text": filled(draw(st.sampled_from([pa.string(), pa.large_string()])), _texts),
        "created_at": draw(times(rows)),
        "source": filled(*draw(st.sampled_from(list(_dimensions.values())))),
        "extra": filled(*draw(st.sampled_from(list(_dimensions.values())))),
    }
    if draw(st.integers(0, 9)) == 0:
        del found[draw(st.sampled_from(list(found)))]
    return found


@st.composite
def written_files(draw: st.DrawFn, root: Path, damage: bool) -> list[WrittenFile]:
    """Write up to eight files below `root`."""
    files = []
    for number in range(draw(st.integers(1, 8))):
        rows = draw(st.integers(0, 12))
        path = root / f"{draw(_folders)}{draw(_names)}{number}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        int96 = draw(st.integers(0, 5)) == 0
        table = pa.table(draw(columns(rows)))
        if int96 and "created_at" in table.column_names and table["created_at"].type.unit != "ns":
            int96 = False  # what is far from now has no INT96
        pq.write_table(
            table,
            path,
            compression=draw(st.sampled_from(["snappy", "zstd", "gzip", "none", "lz4", "brotli"])),
            row_group_size=draw(st.sampled_from([1, 3, 100])),
            use_dictionary=draw(st.booleans()),
            write_statistics=draw(st.booleans()),
            use_deprecated_int96_timestamps=int96,
        )
        is_damaged = damage and draw(st.integers(0, 3)) == 0
        if is_damaged:
            spoil(
                path,
                draw(
                    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8)
                ),
            )
        files.append(WrittenFile(path, rows, is_damaged))
    return files


def spoil(path: Path, changes: list[tuple[float, int]]) -> None:
    """Change bytes of a file, or cut it off."""
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    if changes[0][1] < 16:
        del content[int(changes[0][0] * len(content)) :]
    path.write_bytes(content)
