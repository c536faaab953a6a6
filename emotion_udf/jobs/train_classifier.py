"""Fine-tune a classifier, evaluate it, and write its folder with a card.

python jobs/train_classifier.py --config conf/train.toml
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from emotion_udf.jobs.command_line import SettingsParser, exit_code_of, parse
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.training import TrainSettings

log = logging.getLogger("emotion_udf.training")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = SettingsParser("Fine-tune an emotion classifier.", TrainSettings, "conf/train.toml")
    options = parse(parser, arguments)

    def job() -> None:
        settings = load_settings(TrainSettings, options.config, options.overrides)
        # Loaded here: torch and transformers take seconds, and bad settings should be told at once.
        from emotion_udf.training.progress import training_progress
        from emotion_udf.training.train import train

        with training_progress() as on_step:
            results = train(settings, on_step)
        for part, metrics in results.items():
            log.info("part=%s accuracy=%.4f loss=%.4f", part, metrics.accuracy, metrics.loss)
        print(f"model and card: {Path(settings.output.folder).resolve()}")

    return exit_code_of(job, options.debug)


if __name__ == "__main__":
    sys.exit(main())
