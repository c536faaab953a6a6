"""Secrets in text for people: what looks like one, or is one of the environment, is shown as ***.

No part of the job writes a secret anywhere on purpose. This is for the address that somebody put a password into, and
for errors of others that quote one.
"""

import os
import re
from typing import Final

_MASK: Final = "***"
_NAMES: Final = r"[\w.-]*(?:sig|signature|token|secret|key|password|passwd|pwd|credential)[\w.-]*"
_OPTION: Final = re.compile(rf"(?<=[?&;])({_NAMES}=)[^&;\s'\"]+", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"(?<=://)([^/\s:@'\"]*:)[^/\s'\"]+(?=@)")
_CONNECTION: Final = re.compile(r"(?<![^\s'\"])((?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s'\"]+)", re.IGNORECASE)
_HUB_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{16,}")
_VARIABLE: Final = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|_KEY$|_SAS$")
_INVISIBLE: Final = re.compile(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
# A shorter value could be a word of any message.
_LEAST_CHARS: Final = 8


def masked(text: str) -> str:
    """Return a text with *** in place of passwords and keys in addresses, and of secrets of the environment."""
    for name, value in os.environ.items():
        if len(value) >= _LEAST_CHARS and _VARIABLE.search(name):
            text = text.replace(value, _MASK)
    text = _PASSWORD.sub(rf"\1{_MASK}", text)
    text = _OPTION.sub(rf"\1{_MASK}", text)
    text = _CONNECTION.sub(rf"\1{_MASK}", text)
    return _HUB_TOKEN.sub(_MASK, text)


def holds_secret(location: str) -> bool:
    """Tell an address, or a connection string of PostgreSQL's, that has a password, a signature or a key in it."""
    return any(pattern.search(location) for pattern in (_PASSWORD, _OPTION, _CONNECTION))


def printable(text: str) -> str:
    """Return a text in which no control character reaches a terminal, and no line looks like the first of an event."""
    visible = _INVISIBLE.sub(lambda found: repr(found[0])[1:-1], text)
    return re.sub(r"\n(?! )", "\n  ", visible)
