"""Fine-tune a classifier, evaluate it, and write its folder with a card.

python jobs/train_classifier.py --config conf/train.toml
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from emotion_udf.jobs.command_line import SettingsParser, end_process, exit_code_of, parse
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.training import TrainSettings

if TYPE_CHECKING:
    from emotion_udf.training.fine_tune import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = SettingsParser("Fine-tune an emotion classifier.", TrainSettings, "conf/train.toml")
    options = parse(parser, arguments)

    def job() -> None:
        settings = load_settings(TrainSettings, options.config, options.overrides)
        # Loaded here: torch and transformers take seconds, and bad settings should be told at once.
        if sys.stderr.isatty():
            from emotion_udf.training.progress import training_progress

            with training_progress() as on_progress:
                _run(settings, on_progress)
        else:
            _run(settings)

    return exit_code_of(job, options.debug)


def _run(settings: TrainSettings, on_progress: "Callable[[Progress], None]" = lambda _: None) -> None:
    """Train a classifier or a teacher, and say how good it is and where it lies."""
    from emotion_udf.training.by_source import table_of
    from emotion_udf.training.text_table import text_table

    if settings.teacher.folds:
        from emotion_udf.training.teacher import train_teacher

        best = train_teacher(settings, on_progress)
        print(text_table([[name, f"{100 * accuracy:.1f} %"] for name, accuracy in best.domains.items()]))
        print(f"soft labels: {Path(settings.output.folder).resolve()}")
    else:
        from emotion_udf.training.train import train

        print(text_table(table_of(train(settings, on_progress))))
        print(f"model and card: {Path(settings.output.folder).resolve()}")


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
