"""Measure a classifier on labelled sentences: one set, or all that a settings file names.

python jobs/evaluate_classifier.py --config conf/evaluate.toml --out build/evaluation
python jobs/evaluate_classifier.py --model bundled --data ../shared/data/emotion --out build/evaluation
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, get_args

from emotion_udf.classifier.device import Device, Precision
from emotion_udf.jobs.command_line import JobParser, end_process, exit_code_of, parse
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.labelled import SPLITS, DataSettings, EvaluationSettings
from emotion_udf.settings.load import load_settings

_WRITTEN = """\
written to --out: evaluation.json, confusion.png and reliability.png (of several sets, named for each), and
worst_errors.csv (which holds texts of the data)

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    options = parse(_parser(), arguments)

    def job() -> None:
        data = _data(options)
        # Loaded here: torch takes seconds, and wrong usage should be told at once.
        from emotion_udf.training.by_source import lengths_table, table_of
        from emotion_udf.training.run_evaluation import HELD_OUT, parse_thresholds, run_evaluation
        from emotion_udf.training.text_table import text_table

        default = HELD_OUT if options.config else ("test",)
        results = run_evaluation(
            ClassifierSettings(
                model=options.model,
                revision=options.revision,
                labels=options.labels,
                device=options.device,
                precision=options.precision,
            ),
            data,
            (options.split,) if options.split else default,
            options.out,
            thresholds=parse_thresholds(options.at_least),
            augmentation=options.augmented,
            through_spark=options.through_spark,
            debug=options.debug,
        )
        print(text_table(table_of(results)))
        print(f"\nlabels that are correct, by length\n{text_table(lengths_table(results))}")
        print(f"\nresults: {options.out.resolve()}")

    return exit_code_of(job, options.debug)


def _parser() -> JobParser:
    parser = JobParser("Measure a classifier on labelled sentences.", _WRITTEN)
    data = DataSettings.model_fields
    model = ClassifierSettings.model_fields
    parser.add_argument("--model", default="bundled", metavar="MODEL", help=model["model"].description)
    parser.add_argument("--revision", metavar="COMMIT", help=model["revision"].description)
    parser.add_argument("--labels", type=_names, metavar="NAME,NAME,…", help=model["labels"].description)
    parser.add_argument("--device", default="auto", choices=get_args(Device), help=model["device"].description)
    parser.add_argument(
        "--precision",
        default="fp32",
        choices=get_args(Precision),
        help="the type that the network computes in; fp32, the reference, by default",
    )
    sets = parser.add_mutually_exclusive_group(required=True)
    sets.add_argument("--config", type=Path, metavar="FILE", help="several labelled sets, such as conf/evaluate.toml")
    sets.add_argument("--data", metavar="FOLDER", help=data["source"].description)
    parser.add_argument("--root", metavar="FOLDER", help="with --config: " + (data["root"].description or ""))
    parser.add_argument("--data-revision", metavar="REVISION", help=data["revision"].description)
    parser.add_argument("--text-column", default="text", metavar="COLUMN", help=data["text"].description)
    parser.add_argument("--label-column", default="label", metavar="COLUMN", help=data["label"].description)
    parser.add_argument(
        "--split", choices=SPLITS, help="what to measure on; by default test, with --config validation and test"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the results go")
    parser.add_argument(
        "--at-least",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="end with exit code 4 where accuracy, macro_f1 or weighted_f1 of a set is below; may be given again",
    )
    parser.add_argument("--augmented", action="store_true", help="measure the sentences rewritten as people type, too")
    parser.add_argument("--through-spark", action="store_true", help="score through Spark as well, and compare")
    return parser


def _data(options: argparse.Namespace) -> DataSettings:
    if options.config:
        overrides = [f"data.root={options.root}"] if options.root else []
        return load_settings(EvaluationSettings, options.config, overrides).data
    return DataSettings(
        source=options.data,
        name=Path(options.data).name,
        revision=options.data_revision,
        text=options.text_column,
        label=options.label_column,
    )


def _names(joined: str) -> list[str]:
    return joined.split(",")


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
