from datetime import date

import pyarrow as pa
import pytest

from emotion_udf.gates import DayProfile
from emotion_udf.nightly.evidence import profiles_of_release
from emotion_udf.schemas import DAILY
from emotion_udf.storage import Folder, open_folder
from tests.helpers.memory_warehouse import MemoryWarehouse

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
DAILY_COLUMNS = ("low_confidence_count", "truncated_count", "foreign_count", "token_count", "unknown_token_count")


def daily(day: date, emotion: str, messages: int, *counts: int | None) -> dict[str, object]:
    numbers = counts or (None,) * len(DAILY_COLUMNS)
    return {"event_date": day, "emotion": emotion, "feedback_count": messages} | dict(
        zip(DAILY_COLUMNS, numbers, strict=True)
    )


class Published(MemoryWarehouse):
    """A warehouse that shows given rows."""

    def __init__(self, rows: list[dict[str, object]], scratch: Folder) -> None:
        super().__init__(scratch)
        self.rows = rows
        self.days = {D5, D6, D7}

    def released(self, table: str, dates: object, columns: object) -> pa.Table:  # noqa: ARG002
        if table == DAILY:
            return pa.Table.from_pylist(self.rows)
        return pa.table({"event_date": [D5], "reasons": [["blank_text"]]})


@pytest.fixture
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return open_folder(str(tmp_path_factory.mktemp("scratch")))


def test_a_profile_adds_up_a_date_and_knows_what_was_not_counted(scratch: Folder) -> None:
    rows = [
        daily(D5, "joy", 3, 1, 0, 1, 30, 2),
        daily(D5, "joy", 2, 2, 1, 0, 20, 0),
        daily(D5, "fear", 1, 0, 0, 0, 10, 1),
        daily(D6, "joy", 4, 1, None, None, None, None),  # as an earlier version wrote it
    ]
    found = profiles_of_release(Published(rows, scratch), [D5, D6, D7])

    assert found == {
        D5: DayProfile({"joy": 5, "fear": 1}, 3, 1, {"blank_text": 1}, foreign=1, tokens=60, unknown_tokens=3),
        D6: DayProfile({"joy": 4}, 1, None, foreign=None, tokens=None, unknown_tokens=None),
        D7: DayProfile(),
    }
