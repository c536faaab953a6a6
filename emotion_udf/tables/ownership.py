"""The runs that hold the dates of a table, as the metadata of its commits tells.

A date without rows has no file that would name its run, so the history is asked and not the files.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from deltalake import DeltaTable

_RUN_ID: Final = "emotion_udf.run_id"
_DATES: Final = "emotion_udf.dates"
_ROWS: Final = "emotion_udf.rows"
_VERSIONS: Final = "emotion_udf.versions"


@dataclass(frozen=True)
class Claim:
    """A run's hold on some dates of a table.

    Attributes:
        run_id: The run.
        days: The dates, `YYYY-MM-DD`.
        rows: The rows that the run has written for each table of its night, by which missing files show.
        versions: Where the run brings dates back: the version of each table that has their files, none where they go
            back to nothing. None for a night, whose files are in its data folders.
    """

    run_id: str
    days: Sequence[str]
    rows: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """The claim as it stands in the metadata of a commit."""
        night = {_RUN_ID: self.run_id, _DATES: json.dumps(list(self.days)), _ROWS: json.dumps(dict(self.rows))}
        return night if self.versions is None else night | {_VERSIONS: json.dumps(dict(self.versions))}


def claims_since(table: DeltaTable, version: int) -> list[Claim]:
    """Return the claims of a table's commits after `version`, oldest first; commits of no run make none."""
    newest = table.version()
    entries = table.history(newest - max(version, -1)) if newest > version else []
    return [claim for claim in map(_claim_of, reversed(entries)) if claim is not None]


def claims_until(table: DeltaTable, version: int) -> list[Claim]:
    """Return the claims of a table's commits up to `version`, oldest first, as far back as its log goes."""
    claims = claims_since(table, -1)
    return claims[: len(claims) - len(claims_since(table, version))]


def holders(claims: Sequence[Claim]) -> dict[str, Claim]:
    """Return the claim that holds each date: the last one."""
    return {day: claim for claim in claims for day in claim.days}


def shown_days(claims: Sequence[Claim]) -> set[str]:
    """Return the dates that some run holds; one that was taken back to nothing belongs to nobody."""
    return {day for day, claim in holders(claims).items() if claim.versions != {}}


def _claim_of(entry: Mapping[str, Any]) -> Claim | None:
    if _RUN_ID not in entry:
        return None
    return Claim(
        run_id=entry[_RUN_ID],
        days=json.loads(entry.get(_DATES, "[]")),
        rows=json.loads(entry.get(_ROWS, "{}")),
        versions=json.loads(entry.get(_VERSIONS, "null")),
    )
