import base64
import gzip

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from emotion_udf.dashboard.columns import PackedColumns, pack


def unpack(packed: PackedColumns) -> dict[str, NDArray[np.int64]]:
    """Read the planes as the page does."""
    data = np.frombuffer(gzip.decompress(base64.b64decode(packed.data)), dtype=np.uint8)
    columns = {}
    offset = 0
    for name, width in packed.layout:
        planes = data[offset : offset + width * packed.rows].reshape(width, packed.rows).astype(np.int64)
        columns[name] = (planes << (8 * np.arange(width))[:, None]).sum(axis=0)
        offset += width * packed.rows
    assert offset == len(data)
    return columns


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2**48)), max_size=50))
def test_what_is_packed_can_be_unpacked(rows: list[tuple[int, int]]) -> None:
    columns = {name: np.array([row[place] for row in rows], dtype=np.int64) for place, name in enumerate(("a", "b"))}

    found = unpack(pack(columns))

    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in columns.items()
    }


def test_a_column_takes_as_many_bytes_as_its_largest_number() -> None:
    columns = {"small": np.array([0, 255]), "medium": np.array([256, 0]), "large": np.array([65536, 1])}

    assert pack(columns).layout == [("small", 1), ("medium", 2), ("large", 3)]


def test_the_same_numbers_make_the_same_text() -> None:
    columns = {"a": np.arange(1000)}

    assert pack(columns) == pack(columns)
