"""A backfill: the days of a range, each as a run of its own, so that what is published stays so when it is stopped."""

import logging
from collections.abc import Callable, Collection
from datetime import date

from emotion_udf.classifier.artifact import open_artifact
from emotion_udf.errors import EmotionUdfError, UsageError
from emotion_udf.nightly.record import PSEUDONYMS, pseudonyms_entry
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.steps.pseudonymise import read_pseudonyms
from emotion_udf.tables.warehouse import Warehouse
from emotion_udf.window import Window
from emotion_udf.workers.archives import as_unpacked

log = logging.getLogger(__name__)


def backfill(window: Window, run_day: Callable[[Window], object], done: Collection[date] = ()) -> None:
    """Run the days of a range one after another, the other days also when one fails.

    Args:
        window: The range.
        run_day: Labels and publishes the one day that it is given.
        done: Days to leave out.

    Raises:
        EmotionUdfError: A day failed. It is of the type of the worst failure, the one with the lowest exit code.
            Wrong settings fail every day, so that they end the backfill at once.
    """
    failed: dict[date, EmotionUdfError] = {}
    for day in window.dates:
        if day in done:
            log.info("day=%s is published already", day)
            continue
        try:
            run_day(Window(day, day, window.timezone))
        except UsageError:
            raise
        except Exception as error:
            failed[day] = error if isinstance(error, EmotionUdfError) else EmotionUdfError(type(error).__name__)
            log.warning("day=%s failed, the others go on: %s", day, failed[day])
    if failed:
        worst = min(failed.values(), key=lambda error: error.exit_code)
        raise type(worst)(
            f"expected to publish {len(window.dates)} days, found {len(failed)} failing: "
            f"{', '.join(map(str, failed))}; mend them, then start again with --resume"
        ) from worst


def published_days(warehouse: Warehouse, settings: NightSettings) -> set[date]:
    """Return the days of the newest release that these very settings, this model and this key have brought."""
    runs = warehouse.released_runs(["settings_digest", "model_fingerprint", "versions"])
    fingerprint = open_artifact(as_unpacked(settings.classifier.source)).fingerprint
    same = pseudonyms_entry(read_pseudonyms(settings.input)).get(PSEUDONYMS)
    return {
        day
        for day, run in runs.items()
        if (run["settings_digest"], run["model_fingerprint"], run["versions"].get(PSEUDONYMS))
        == (settings.digest(), fingerprint, same)
    }
