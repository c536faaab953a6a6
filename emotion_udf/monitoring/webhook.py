"""A message to a webhook of a night that was refused or failed: JSON with a `text`, as chats take it, and the facts."""

import json
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from emotion_udf.errors import UsageError
from emotion_udf.masking import printable
from emotion_udf.monitoring.attempts import deliver, refused_with, unanswered
from emotion_udf.monitoring.night import Night
from emotion_udf.settings.monitoring import MonitoringSettings

URL_VARIABLE: Final = "EMOTION_UDF_WEBHOOK_URL"
"""The environment variable that holds the address, unless the settings name a file: addresses of chats are secrets."""

_HELD: Final = "window_held"
"""The outcome that asks nobody to do anything: another run has published the dates."""


def tell_webhook(night: Night, settings: MonitoringSettings) -> None:
    """Tell of a night, unless it was published or another run was first.

    Raises:
        UsageError: There is no address.
        UndeliveredError: The server did not take it.
    """
    if night.is_published or night.outcome == _HELD:
        return
    request = urllib.request.Request(  # noqa: S310  # of an http address, see _address
        _address(settings),
        json.dumps(_message(night, settings.name)).encode(),
        {"Content-Type": "application/json", "User-Agent": "emotion-udf"},
    )

    def send() -> None:
        try:
            with _opener.open(request, timeout=settings.request_timeout_s):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            raise refused_with(error.code) from error
        except (OSError, HTTPException) as error:
            raise unanswered(error) from error

    deliver(send, settings.attempts)


def _message(night: Night, name: str) -> dict[str, Any]:
    run = night.run
    facts = {
        "night": name,
        "outcome": night.outcome,
        "exit_code": night.exit_code,
        "run_id": run and run["run_id"],
        "from_date": run and run["from_date"].isoformat(),
        "to_date": run and run["to_date"].isoformat(),
        "failed_gates": [gate["name"] for gate in night.gates if not gate["passed"]],
    }
    of = f" of {facts['from_date']} to {facts['to_date']}, run {facts['run_id']}," if run else ""
    text = f"{name}: the night{of} ended as {night.outcome} (exit code {night.exit_code})\n{night.error}"
    return {"text": printable(text)} | facts


def _address(settings: MonitoringSettings) -> str:
    file = settings.webhook_url_file
    place = f"the file {file} (monitoring.webhook_url_file)" if file else f"the environment variable {URL_VARIABLE}"
    try:
        address = (Path(file).read_text(encoding="utf-8") if file else os.environ.get(URL_VARIABLE, "")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"expected an address in {place}, found none ({type(error).__name__})") from error
    if not address.startswith(("http://", "https://")):
        raise UsageError(f"expected an address that begins with http:// or https:// in {place}, found none")
    return address


class _Unmoved(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the message is for the address that was given."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener: Final = urllib.request.build_opener(_Unmoved)
