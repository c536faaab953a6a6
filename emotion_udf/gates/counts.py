"""Gates on counts: no row is lost, aggregates sum to labels, and few rows and files are refused."""

from emotion_udf.gates.evidence import Evidence
from emotion_udf.gates.result import GateResult, at_most
from emotion_udf.settings.nightly import GateSettings


def check_counts(evidence: Evidence, settings: GateSettings) -> list[GateResult]:
    """Check what the steps counted."""
    unaccounted = evidence.read - evidence.labelled - evidence.quarantined
    return [
        at_most(
            "unread_rows",
            abs(evidence.expected - evidence.read),
            0,
            f"Spark read {evidence.read} rows of the window, the files hold {evidence.expected}; check that the input "
            "is not being written while it is read, and run again",
        ),
        at_most(
            "unaccounted_rows",
            abs(unaccounted),
            0,
            f"read {evidence.read} is not labelled {evidence.labelled} + quarantined {evidence.quarantined}; "
            "rows were lost or doubled between the steps: keep the input as it is, and report this with --debug",
        ),
        at_most(
            "aggregate_difference",
            abs(evidence.daily_total - evidence.labelled),
            0,
            f"emotion_daily counts {evidence.daily_total} messages, emotion_labels {evidence.labelled}; "
            "check that no other job writes below warehouse.root",
        ),
        at_most(
            "bad_probabilities",
            evidence.bad_probabilities,
            0,
            "labels whose probabilities are not finite or do not sum to 1; check the model's weights and the device",
        ),
        at_most(
            "quarantined_row_share",
            _share(evidence.quarantined, evidence.read),
            settings.max_quarantined_share,
            "look at the reasons that the input's rows were refused for, or raise gate.max_quarantined_share if the "
            "input is as it should be",
        ),
        at_most(
            "refused_file_share",
            _share(evidence.refused_files, evidence.files),
            settings.max_refused_file_share,
            "check the job that writes the input, or raise gate.max_refused_file_share if the files are as they "
            "should be",
        ),
    ]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
