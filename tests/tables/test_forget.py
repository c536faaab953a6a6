"""A message that is forgotten is in no file any more."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, TEXT_SCORES, text_scores_schema
from emotion_udf.steps.score import text_key
from emotion_udf.storage import open_folder
from emotion_udf.tables import forget as forgetting
from emotion_udf.tables.compaction import compact
from emotion_udf.tables.delta_warehouse import RELEASED, DeltaWarehouse
from emotion_udf.tables.find_rows import Holding, find_messages, rows_now
from emotion_udf.tables.forget import forget
from emotion_udf.tables.text_scores import append_scores
from emotion_udf.tables.upkeep import checkpoint
from emotion_udf.tables.warehouse import Commit
from tests.helpers.killed import Killed
from tests.helpers.nights import NIGHT, row_of, shown_rows, stage_rows

D5, D6 = (date(2026, 10, day) for day in (5, 6))
ID, TEXT = "id-of-ann", "i lost my keys at the old harbour"
OTHER_ID, OTHER_TEXT = "id-of-bob", "what a lovely morning"
MODEL = "a" * 32


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def publish(
    warehouse: DeltaWarehouse, run_id: str, day: date, messages: dict[str, str], refused: Sequence[str]
) -> None:
    """Publish a date's messages, the refused ones as `quarantine` keeps them, and the scores of their texts."""
    labels = [row_of(LABELS, run_id, feedback_id=name, text=text) for name, text in messages.items()]
    raw = [json.dumps({"id": name, "message": messages.get(name, TEXT), "author": "x"}) for name in refused]
    refusals = [row_of(QUARANTINE, run_id, feedback_id=n, raw=r) for n, r in zip(refused, raw, strict=True)]
    stage_rows(warehouse, LABELS, run_id, {day: labels})
    stage_rows(warehouse, DAILY, run_id, {day: [row_of(DAILY, run_id)]})
    stage_rows(warehouse, QUARANTINE, run_id, {day: refusals} if refusals else {})
    stage_scores(warehouse, run_id, messages.values())
    append_scores(warehouse, run_id, MODEL)
    warehouse.publish(NIGHT, Commit(run_id, [day]), warehouse.version(LABELS))


def stage_scores(warehouse: DeltaWarehouse, run_id: str, texts: Any) -> None:
    score = {"emotion": "joy", "confidence": 0.9, **dict.fromkeys(EMOTIONS, 0.1), "token_count": 3}
    score |= {"is_truncated": False, "engine": "torch", "precision": "auto", "event_date": D5, "run_id": run_id}
    schema = to_arrow_schema(text_scores_schema(), timezone="UTC")
    schema = schema.remove(schema.get_field_index("model_fingerprint"))
    folder = Path(warehouse.data_folder(TEXT_SCORES, run_id).path)
    folder.mkdir(parents=True)
    rows = [score | {"text_key": text_key(text)} for text in texts]
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "part.parquet")


def find(warehouse: DeltaWarehouse, *ids: str) -> list[Holding]:
    return find_messages(warehouse, ids, text_key, "message")


def forget_ids(warehouse: DeltaWarehouse, *ids: str) -> dict[str, int]:
    return forget(warehouse, RELEASED, find(warehouse, *ids), "20261007T000000Z-abc123-forget")


def everything(root: Path) -> Iterator[str]:
    """Yield what every file below a folder says: its bytes, and the values of what is Parquet."""
    for file in root.rglob("*"):
        if file.is_file():
            yield f"{file} {file.read_bytes().decode('latin-1')}"
        if file.suffix == ".parquet":
            yield f"{file} {pq.ParquetFile(file).read().to_pylist()}"
            yield f"{file} {pq.read_metadata(file).to_dict()}"


def files_with(warehouse: DeltaWarehouse, words: str) -> list[str]:
    root = Path(warehouse.root.path)
    return sorted(
        {said.split(" ")[0].removeprefix(f"{root}/").split("/")[0] for said in everything(root) if words in said}
    )


def ids_of(warehouse: DeltaWarehouse, table: str = LABELS) -> list[str]:
    release = warehouse.release()
    assert release is not None
    rows = DeltaTable(warehouse.address(table), version=release.versions[table]).to_pyarrow_table(
        columns=["feedback_id"]
    )
    return sorted(rows["feedback_id"].to_pylist())


@pytest.fixture
def lived_in(warehouse: DeltaWarehouse) -> DeltaWarehouse:
    """A warehouse with a message in several versions, in quarantine, compacted, and left by a failed run."""
    publish(warehouse, "r1", D5, {ID: TEXT, OTHER_ID: OTHER_TEXT}, refused=[ID])
    publish(warehouse, "r2", D5, {ID: TEXT, OTHER_ID: OTHER_TEXT}, refused=[ID, OTHER_ID])
    publish(warehouse, "r3", D6, {OTHER_ID: OTHER_TEXT}, refused=[])
    stage_rows(warehouse, QUARANTINE, "lost", {D6: [row_of(QUARANTINE, "lost", feedback_id=ID, raw=TEXT)]})
    for table in (*RELEASED, TEXT_SCORES):
        compact(warehouse, table)
        checkpoint(warehouse, table)
    return warehouse


def test_a_forgotten_message_is_in_no_file_below_the_root(lived_in: DeltaWarehouse) -> None:
    assert files_with(lived_in, ID) == [LABELS, QUARANTINE], "the search finds what is there"
    assert files_with(lived_in, TEXT) == [LABELS, QUARANTINE]
    assert files_with(lived_in, text_key(TEXT)) == [TEXT_SCORES]

    deleted = forget_ids(lived_in, ID)

    for trace in (ID, TEXT, text_key(TEXT)):
        assert files_with(lived_in, trace) == []
    assert deleted.keys() == {LABELS, QUARANTINE, TEXT_SCORES}
    assert find(lived_in, ID) == []


def test_other_messages_stay(lived_in: DeltaWarehouse) -> None:
    forget_ids(lived_in, ID)
    assert ids_of(lived_in) == [OTHER_ID, OTHER_ID]
    assert ids_of(lived_in, QUARANTINE) == [OTHER_ID]
    assert files_with(lived_in, text_key(OTHER_TEXT)) == [TEXT_SCORES]
    shown = shown_rows(lived_in)
    assert shown[DAILY] == [(D5, "r2"), (D6, "r3")], "counts stay"
    labels = DeltaTable(lived_in.address(LABELS))
    assert {row["created_at"] for row in labels.to_pyarrow_table().to_pylist()} == {
        datetime(2026, 10, 5, 12, tzinfo=UTC)
    }


def test_nights_go_on_after_it(lived_in: DeltaWarehouse) -> None:
    before = lived_in.release()
    forget_ids(lived_in, ID)
    release = lived_in.release()
    assert before is not None
    assert release is not None
    assert release.number > before.number
    assert release.run_id == before.run_id, "the night is the same"
    assert lived_in.repair() == release
    publish(lived_in, "r4", D5, {OTHER_ID: OTHER_TEXT}, refused=[])
    assert ids_of(lived_in) == [OTHER_ID, OTHER_ID]


def test_a_file_of_nothing_else_just_goes(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", D5, {ID: TEXT}, refused=[])
    forget_ids(warehouse, ID)
    assert ids_of(warehouse) == []
    assert files_with(warehouse, TEXT) == []


def test_an_unknown_id_changes_nothing(lived_in: DeltaWarehouse) -> None:
    version = lived_in.version(LABELS)
    assert find(lived_in, "id-of-nobody") == []
    assert lived_in.version(LABELS) == version


def test_rows_are_counted_as_readers_see_them(lived_in: DeltaWarehouse) -> None:
    counted = {holding.table: rows_now(lived_in, holding) for holding in find(lived_in, ID)}
    assert counted == {LABELS: 1, QUARANTINE: 1, TEXT_SCORES: 2}


def test_a_file_that_was_never_finished_goes_too(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", D5, {ID: TEXT, OTHER_ID: OTHER_TEXT}, refused=[])
    half = Path(warehouse.data_folder(QUARANTINE, "lost").path) / "part.parquet"
    half.parent.mkdir(parents=True)
    half.write_text(f"PAR1{TEXT}")
    forget_ids(warehouse, ID)
    assert not half.exists()


def test_a_damaged_file_that_readers_see_stops_it(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", D5, {OTHER_ID: OTHER_TEXT}, refused=[OTHER_ID])
    file = next(Path(warehouse.data_folder(LABELS, "r1").path).rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(InputError, match="1 damaged"):
        forget_ids(warehouse, ID)
    assert file.exists()


def test_a_commit_that_comes_in_between_is_searched_as_well(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(warehouse, "r1", D5, {ID: TEXT, OTHER_ID: OTHER_TEXT}, refused=[])
    found = find(warehouse, ID)
    publish(warehouse, "r2", D6, {ID: TEXT}, refused=[])
    commit = forgetting._commit
    raced: list[str] = []

    def commit_late(target: DeltaTable, *rest: Any) -> None:
        if not raced:
            raced.append("r3")
            publish(warehouse, "r3", D6, {ID: TEXT, OTHER_ID: OTHER_TEXT}, refused=[])
        commit(target, *rest)

    monkeypatch.setattr(forgetting, "_commit", commit_late)
    forget(warehouse, RELEASED, found, "20261007T000000Z-abc123-forget")
    assert files_with(warehouse, ID) == []
    assert ids_of(warehouse) == [OTHER_ID, OTHER_ID]


@pytest.mark.parametrize("step", range(9))
def test_a_forgetting_that_was_killed_is_finished_by_the_next(lived_in: DeltaWarehouse, step: int) -> None:
    """It is killed before its n-th commit or deletion."""
    calls = iter(range(1_000))

    def mortal(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        original = getattr(forgetting, name)

        def call(*args: Any) -> Any:
            if next(calls) == step:
                raise Killed
            return original(*args)

        monkeypatch.setattr(forgetting, name, call)

    with pytest.MonkeyPatch.context() as patch:
        mortal(patch, "_commit")
        mortal(patch, "delete_file")
        with pytest.raises(Killed):
            forget_ids(lived_in, ID)
    lived_in.repair()
    forget_ids(lived_in, ID)
    for trace in (ID, TEXT, text_key(TEXT)):
        assert files_with(lived_in, trace) == []
    assert ids_of(lived_in) == [OTHER_ID, OTHER_ID]


IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=15)
@given(st.dictionaries(IDS, st.booleans(), min_size=1, max_size=6))
def test_exactly_the_named_ids_go_whatever_they_look_like(
    tmp_path_factory: pytest.TempPathFactory, messages: dict[str, bool]
) -> None:
    warehouse = DeltaWarehouse(open_folder(str(tmp_path_factory.mktemp("w"))))
    publish(warehouse, "r1", D5, {name: f"text of {name}" for name in messages}, refused=[])
    forget_ids(warehouse, *(name for name, goes in messages.items() if goes))
    assert ids_of(warehouse) == sorted(name for name, goes in messages.items() if not goes)
