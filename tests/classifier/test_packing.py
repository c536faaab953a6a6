import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.packing import TokenRows, find_groups, pack, row_starts


@given(st.lists(st.integers(1, 5), max_size=40))
def test_groups_cover_all_rows_in_order(lengths: list[int]) -> None:
    groups = find_groups(lengths)
    assert [group.length for group in groups for _ in range(group.rows)] == lengths
    starts = [0, *np.cumsum([group.rows * group.length for group in groups]).tolist()]
    assert [group.start for group in groups] == starts[: len(groups)]
    assert [group.span.stop for group in groups] == starts[1:]
    neighbours = zip(groups, groups[1:], strict=False)  # noqa: RUF007
    assert all(a.length != b.length for a, b in neighbours)


@given(st.lists(st.lists(st.integers(0, 30_521), min_size=1, max_size=9), min_size=1, max_size=20))
def test_starts_are_those_of_each_row(rows: list[list[int]]) -> None:
    lengths = [len(row) for row in rows]
    assert row_starts(find_groups(lengths)).tolist() == [sum(lengths[:row]) for row in range(len(rows))]


@given(st.lists(st.lists(st.integers(0, 30_521), min_size=1, max_size=9), min_size=1, max_size=20))
def test_rows_lie_end_to_end(rows: list[list[int]]) -> None:
    token_ids, position_ids, groups = pack(rows)
    assert token_ids.tolist() == [token for row in rows for token in row]
    assert position_ids.tolist() == [place for row in rows for place in range(len(row))]
    assert groups == find_groups([len(row) for row in rows])


ROWS = st.lists(st.lists(st.integers(0, 30_521), min_size=1, max_size=9), max_size=20)


@given(ROWS, st.data())
def test_rows_are_taken_in_the_order_that_is_asked_for(rows: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(range(len(rows))), max_size=30) if rows else st.just([]))
    taken = TokenRows.of(rows).take(np.array(chosen, dtype=np.intp))
    assert taken.to_lists() == [rows[row] for row in chosen]
    assert len(taken) == len(chosen)
    assert [taken.ids.dtype.name, taken.lengths.dtype.name] == ["int32", "int64"]


@given(ROWS, st.integers(0, 25), st.integers(0, 25))
def test_neighbouring_rows_are_a_slice(rows: list[list[int]], first: int, end: int) -> None:
    assert TokenRows.of(rows)[first : max(first, end)].to_lists() == rows[first : max(first, end)]
