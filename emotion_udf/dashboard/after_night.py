"""The page after a night: built where the settings ask for it, and never a reason for a night to fail."""

import logging
from pathlib import Path

from emotion_udf.errors import EmotionUdfError
from emotion_udf.settings.nightly import NightSettings

log = logging.getLogger(__name__)


def build_after_night(settings: NightSettings) -> Path | None:
    """Build the page of the newest release.

    Returns:
        The page; None where the settings ask for none, or where it could not be built, which is a warning.
    """
    if settings.dashboard.out is None:
        return None
    out = Path(settings.dashboard.out)
    try:
        from emotion_udf.dashboard.build import PageOptions, build_dashboard  # only then are its packages needed

        build_dashboard(
            settings.warehouse.root, out, PageOptions(settings.dashboard.title, examples=settings.dashboard.examples)
        )
    except ModuleNotFoundError as error:
        log.warning("the dashboard is not built: no %s; pip install 'emotion-udf[dashboard]'", error.name)
    except EmotionUdfError as error:
        log.warning("the dashboard is not built: %s", error)
    except BaseException as error:  # a panic of delta-rs and an interruption are no Exceptions; the night is published
        log.warning("the dashboard is not built (%s); the night is published", type(error).__name__)
    else:
        return out.resolve()
    return None
