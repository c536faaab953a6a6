"""The precision of labels, from a sample that people have read."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959963984540054
"""Two-sided, 95 %."""


@dataclass(frozen=True)
class Stratum:
    """What people found in a stratum.

    Attributes:
        messages: Messages of the window in the stratum.
        read: Those of them that a person has read.
        right: Those of these whose label is the person's emotion.
    """

    messages: int
    read: int
    right: int


@dataclass(frozen=True)
class Precision:
    """The share of labels that are right, as far as a sample tells.

    Attributes:
        messages: Messages of the window that the figure speaks of.
        read: Messages that it comes from.
        value: The estimate; None where nothing was read.
        low: The lower end of its 95 % interval.
        high: The upper end.
        unread: Messages in strata of which nothing was read; the figure does not speak of them.
    """

    messages: int
    read: int
    value: float | None
    low: float
    high: float
    unread: int


def precision(strata: Iterable[Stratum]) -> Precision:
    """Estimate the precision of the labels of some strata.

    The value is the stratified one, the sum of W_h p_h, where W_h is the stratum's share of the messages. Its interval
    is Wilson's with the effective sample size q (1 - q) / V (Franco, Little, Louis and Slud, 2019), where V is the sum
    of W_h^2 (1 - f_h) q_h (1 - q_h) / n_h, f_h the sampled fraction, q_h = (right + 1) / (read + 2), and q the sum of
    W_h q_h. So a stratum of which few were read, or all of one kind, still has a variance. In a single large stratum
    it is Wilson's interval of it.

    Args:
        strata: The strata; those of which nothing was read are left out.
    """
    given = list(strata)
    known = [stratum for stratum in given if stratum.read]
    messages = sum(stratum.messages for stratum in known)
    read = sum(stratum.read for stratum in known)
    unread = sum(stratum.messages for stratum in given) - messages
    if not known:
        return Precision(0, 0, None, 0.0, 1.0, unread)
    value = sum(stratum.messages / messages * stratum.right / stratum.read for stratum in known)
    low, high = wilson(value, _effective_size(known, messages))
    return Precision(messages, read, value, low, high, unread)


def wilson(share: float, size: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share that `size` observations gave; `size` may be infinite."""
    if math.isinf(size):
        return share, share
    squared = _Z**2 / size
    centre = (share + squared / 2) / (1 + squared)
    half = math.sqrt(share * (1 - share) * squared + squared**2 / 4) / (1 + squared)
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def _effective_size(strata: Sequence[Stratum], messages: int) -> float:
    """Return how many observations of a simple random sample would tell as much."""
    centre = variance = 0.0
    for stratum in strata:
        weight = stratum.messages / messages
        smooth = (stratum.right + 1) / (stratum.read + 2)
        unsampled = 1 - stratum.read / stratum.messages
        centre += weight * smooth
        variance += weight**2 * unsampled * smooth * (1 - smooth) / stratum.read
    return centre * (1 - centre) / variance if variance else math.inf
