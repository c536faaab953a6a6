"""What a run is about to show in a catalog, kept below the root until all tables show it.

A catalog commits one table at a time and knows nothing of a night. So a run writes down first what it is going to do,
and one that is killed on the way is finished by the next start, from the files that it has written. One run at a time
does that: who finds another at it waits.
"""

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from pyspark.sql.types import StructType

from emotion_udf.errors import WindowHeldError
from emotion_udf.storage import Folder
from emotion_udf.tables.durability import sync_file
from emotion_udf.tables.staging import dead_runs, mark_folder, running_runs, unmark_folder

_FILE: Final = "_publication.json"
# Another machine cannot see if the process is there: longer than all tables of a large night take.
_PUBLISHED_WITHIN: Final = timedelta(minutes=15)
_PATIENCE_S: Final = 300.0
_LOOK_AGAIN_S: Final = 2.0


@dataclass(frozen=True)
class Publication:
    """The share of one run in all tables.

    Attributes:
        run_id: The run.
        days: The dates that it replaces, `YYYY-MM-DD`.
        since: The newest release when the run began.
        rows: The rows of each table, in the order in which the tables are changed.
        schemas: The columns of each table, as Spark's JSON has them.
    """

    run_id: str
    days: Sequence[str]
    since: int
    rows: Mapping[str, int]
    schemas: Mapping[str, Any]

    @property
    def dates(self) -> list[date]:
        """The dates."""
        return [date.fromisoformat(day) for day in self.days]

    def schema(self, table: str) -> StructType:
        """Return the columns of a table."""
        return StructType.fromJson(self.schemas[table])


class Publications:
    """The publications that are not finished, a folder each.

    Args:
        root: The folder of all of them.
        patience_s: Seconds to wait for another run.
    """

    def __init__(self, root: Folder, patience_s: float = _PATIENCE_S) -> None:
        self.root = root
        self.patience_s = patience_s

    def begin(self, publication: Publication) -> Folder:
        """Write a publication down as this process's, and wait until it is the only one.

        Returns:
            Its folder.

        Raises:
            WindowHeldError: Another run is at it for too long.
        """
        until = time.monotonic() + self.patience_s
        while True:
            place = self.root / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{publication.run_id}"
            mark_folder(place)
            with place.system.open_output_stream((place / _FILE).path) as stream:
                stream.write(json.dumps(asdict(publication)).encode())
            sync_file(place / _FILE)
            # After it is written: of two that come at once at least one sees the other.
            others = [name for name in running_runs(self.root, _PUBLISHED_WITHIN) if not place.path.endswith(name)]
            if not others:
                return place
            place.remove()
            if time.monotonic() > until:
                raise WindowHeldError(
                    f"expected to publish alone, found run {others[0].partition('-')[2]} publishing, or killed while "
                    "it did so on another machine; start again in a quarter of an hour"
                )
            time.sleep(_LOOK_AGAIN_S * random.uniform(0.5, 1.5))  # noqa: S311 (so that two do not meet again)

    def give_up(self, place: Folder) -> None:
        """Leave a publication to the next start."""
        unmark_folder(place)

    def has(self, run_id: str) -> bool:
        """Tell whether a run's publication is not finished."""
        return any(entry.base_name.endswith(f"-{run_id}") for entry in self.root.children())

    def left(self) -> list[tuple[Folder, Publication | None]]:
        """Return those that runs have left, oldest first; without a publication where nothing was changed yet."""
        places = [self.root / name for name in sorted(dead_runs(self.root, _PUBLISHED_WITHIN))]
        return [(place, _read(place)) for place in places]


def _read(place: Folder) -> Publication | None:
    try:
        with place.system.open_input_stream((place / _FILE).path) as stream:
            return Publication(**json.loads(stream.read()))
    except (FileNotFoundError, ValueError, TypeError):  # it was killed before it was whole
        return None
