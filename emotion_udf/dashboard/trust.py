"""What the page says of the origin of its numbers: runs and gates, accuracy of the model, quarantine, audits."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import duckdb

from emotion_udf.audit.precision import Stratum, precision
from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError
from emotion_udf.schemas import Reason

EVALUATION: Final = "evaluation.json"

_WHOLE_FILES: Final = (
    Reason.UNREADABLE_FILE,
    Reason.SCHEMA_MISMATCH,
    Reason.UNSUPPORTED_CODEC,
    Reason.CHECKSUM_MISMATCH,
    Reason.PERMISSION_DENIED,
    Reason.UNREADABLE_NAME,
    Reason.MISSING_FILE,
)

Json = dict[str, Any]


def read_runs(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> list[Json]:
    """Return what `runs` has of some runs and of the newest one, oldest first.

    Args:
        connection: Sees `runs`.
        run_ids: The runs that the release shows.
    """
    found = connection.execute(
        "SELECT run_id, from_date, to_date, started_at::TIMESTAMP AS started_at, outcome, model, model_fingerprint, "
        "gates FROM runs WHERE run_id IN (SELECT unnest($shown)) OR started_at = (SELECT max(started_at) FROM runs) "
        "ORDER BY started_at",
        {"shown": list(run_ids)},
    )
    return rows_of(found)


def read_quarantine(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> list[Json]:
    """Return, for each day, the refused messages by reason, and the refused files."""
    files = ", ".join(f"'{reason}'" for reason in _WHOLE_FILES)
    found = connection.execute(
        f"SELECT event_date - $first AS day, array_to_string(list_sort(reasons), ', ') AS reasons, "  # noqa: S608
        f"list_has_any(reasons, [{files}]) AS is_file, count(*) AS count FROM quarantine "
        "WHERE event_date BETWEEN $first AND $last GROUP BY ALL ORDER BY ALL",
        {"first": first, "last": last},
    )
    return rows_of(found)


def read_audits(connection: duckdb.DuckDBPyConnection) -> list[Json]:
    """Return the audited messages, counted by sample, stratum, label and the person's emotion."""
    found = connection.execute(
        "SELECT sample_id, from_date, to_date, model_fingerprint, stratum, stratum_count, emotion, human_emotion, "
        "count(*) AS count FROM audits WHERE human_emotion IS NOT NULL GROUP BY ALL ORDER BY ALL"
    )
    return rows_of(found)


def precision_by_sample(audits: Sequence[Mapping[str, Any]]) -> dict[str, list[Json]]:
    """Return the precision of each emotion's labels and of all, as far as a sample has some, by the sample's name.

    Args:
        audits: Of `read_audits`.
    """
    found: dict[str, list[Json]] = {}
    for sample, rows in groupby(audits, lambda row: str(row["sample_id"])):
        of_sample = list(rows)
        for name in (*EMOTIONS, "all"):
            own = [row for row in of_sample if name in ("all", row["emotion"])]
            if own:
                of_label = precision(_strata(own))
                found.setdefault(sample, []).append(
                    {
                        "name": name,
                        "share": of_label.value,
                        "low": of_label.low,
                        "high": of_label.high,
                        "audited": of_label.read,
                    }
                )
    return found


def _strata(rows: Sequence[Mapping[str, Any]]) -> list[Stratum]:
    sizes = {row["stratum"]: row["stratum_count"] for row in rows}
    counted = {name: [row for row in rows if row["stratum"] == name] for name in sizes}
    return [
        Stratum(
            sizes[name],
            read=sum(row["count"] for row in of_stratum),
            right=sum(row["count"] for row in of_stratum if row["human_emotion"] == row["emotion"]),
        )
        for name, of_stratum in counted.items()
    ]


def find_evaluation(fingerprint: str | None, model: str | None, file: Path | None) -> Json | None:
    """Return what was measured of a model: the named file, that of the model's folder, or the bundled one.

    Args:
        fingerprint: The model; a file of another one does not count.
        model: Where the run found it.
        file: The file that the command line names.

    Raises:
        UsageError: The named file is no evaluation, or of another model.
    """
    if file is not None:
        evaluation = _read_evaluation(file)
        if evaluation is None or evaluation["model_fingerprint"] != fingerprint:
            found = "none" if evaluation is None else f"that of {evaluation['model_fingerprint']}"
            raise UsageError(
                f"expected the evaluation of the model {fingerprint} in {file}, found {found}; "
                "emotion-evaluate writes one"
            )
        return evaluation
    folders = [BUNDLED_FOLDER] if model is None else [Path(model), BUNDLED_FOLDER]
    candidates = [_read_evaluation(folder / EVALUATION) for folder in folders]
    return next((one for one in candidates if one and one["model_fingerprint"] == fingerprint), None)


def _read_evaluation(file: Path) -> Json | None:
    """Return what the page shows of the file, for each set: its name, what was right, and the confusion matrix."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        sets = [_set(one) for one in content["sets"]]
        return {"model_fingerprint": content["model_fingerprint"], "sets": sets}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _set(measured: Json) -> Json:
    return {
        "source": measured["source"],
        "split": measured["split"],
        "judged": measured["judged"] and measured["judged"]["correct"],
        "signs": measured["signs"] and measured["signs"]["correct"],
        "confusion": measured["emotions"] and measured["emotions"]["confusion"],
    }


def rows_of(found: duckdb.DuckDBPyConnection) -> list[Json]:
    """Return the rows of a query as JSON knows them, dates and times as ISO text."""
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, map(_plain, row), strict=True)) for row in found.fetchall()]


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
