"""The copy after a night: made where the settings ask for it, and never a reason for a night to fail."""

import logging

from emotion_udf.errors import EmotionUdfError
from emotion_udf.settings.nightly import NightSettings

log = logging.getLogger(__name__)


def copy_after_night(settings: NightSettings) -> str | None:
    """Copy the newest release to the database that the settings name.

    Returns:
        What was done, as a sentence; None where the settings name no database, or where the copy failed, which is a
        warning.
    """
    if settings.postgres is None:
        return None
    try:
        from emotion_udf.postgres.copy import copy_release  # only then is its package needed

        return str(copy_release(settings.warehouse.root, settings.postgres))
    except ImportError:
        log.warning("nothing is copied to PostgreSQL: no psycopg; pip install 'emotion-udf[postgres]'")
    except EmotionUdfError as error:
        log.warning("nothing is copied to PostgreSQL: %s", error)
    except BaseException as error:  # a panic of delta-rs and an interruption are no Exceptions; the night is published
        log.warning("nothing is copied to PostgreSQL (%s); the night is published", type(error).__name__)
    return None
