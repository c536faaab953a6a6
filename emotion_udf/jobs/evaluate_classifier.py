"""Measure a classifier on labelled sentences.

python jobs/evaluate_classifier.py --model bundled --data ../shared/data/emotion --out build/evaluation
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from emotion_udf.classifier.device import Precision
from emotion_udf.jobs.command_line import JobParser, exit_code_of, parse
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.training import DataSettings

_WRITTEN = """\
written to --out: metrics.json, confusion.png, reliability.png, worst_errors.csv (which holds texts of the data)

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = JobParser("Measure a classifier on labelled sentences.", _WRITTEN)
    data, model = DataSettings.model_fields, ClassifierSettings.model_fields
    parser.add_argument("--model", default="bundled", metavar="MODEL", help=model["model"].description)
    parser.add_argument("--revision", metavar="COMMIT", help=model["revision"].description)
    parser.add_argument("--labels", type=_names, metavar="NAME,NAME,…", help=model["labels"].description)
    parser.add_argument(
        "--precision",
        default="fp32",
        choices=get_args(Precision),
        help="what the network computes in; fp32, the reference, by default",
    )
    parser.add_argument("--data", required=True, metavar="FOLDER", help=data["source"].description)
    parser.add_argument("--data-revision", metavar="REVISION", help=data["revision"].description)
    parser.add_argument("--text-column", default="text", metavar="COLUMN", help=data["text"].description)
    parser.add_argument("--label-column", default="label", metavar="COLUMN", help=data["label"].description)
    parser.add_argument("--part", default="test", choices=("train", "validation", "test"), help="what to measure on")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the results go")
    parser.add_argument(
        "--at-least",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="end with exit code 4 where accuracy, macro_f1 or weighted_f1 is below; may be given again",
    )
    parser.add_argument("--augmented", action="store_true", help="measure the sentences rewritten as people type, too")
    parser.add_argument("--through-spark", action="store_true", help="score through Spark as well, and compare")
    options = parse(parser, arguments)

    def job() -> None:
        # Loaded here: torch takes seconds, and wrong usage should be told at once.
        from emotion_udf.training.run_evaluation import parse_thresholds, run_evaluation

        metrics = run_evaluation(
            ClassifierSettings(
                model=options.model,
                revision=options.revision,
                labels=options.labels,
                precision=options.precision,
            ),
            DataSettings(
                source=options.data,
                revision=options.data_revision,
                text=options.text_column,
                label=options.label_column,
            ),
            options.part,
            options.out,
            thresholds=parse_thresholds(options.at_least),
            augmentation=options.augmented,
            through_spark=options.through_spark,
            debug=options.debug,
        )
        print(f"accuracy {metrics.accuracy:.4f}  loss {metrics.loss:.4f}  macro F1 {metrics.macro_f1:.4f}")
        print(f"results: {options.out.resolve()}")

    return exit_code_of(job, options.debug)


def _names(joined: str) -> list[str]:
    return joined.split(",")


if __name__ == "__main__":
    sys.exit(main())
