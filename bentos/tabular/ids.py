"""Ids: of requests, and of answers and their predictions."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from functools import lru_cache

#: The places of an answer's predictions are the last digits of their ids.
DIGITS = 4
#: An answer has at most so many predictions.
MOST_PLACES = 16**DIGITS

#: Ids have to differ and are no secret; the system's own randomness costs a system call each time.
_noise = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_noise.seed)


def request() -> str:
    """A new id of a request: 128 bits in hexadecimal digits."""
    return f"{_noise.getrandbits(128):032x}"


def fresh() -> str:
    """A new id of 128 bits as a UUID's text, unlike any other in all but its last 16 bits, which are 0.

    Version 7 of RFC 9562: ids made later sort later, so that an index over them grows at one end.
    """
    noise = _noise.getrandbits(64)
    made = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | 7 << 76 | (noise >> 52) << 64
    digits = f"{made | 2 << 62 | (noise & (1 << 46) - 1) << 16:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def predictions(answer_id: str, size: int) -> list[str]:
    """The ids of an answer's predictions, by their places; the first is the answer's own.

    Args:
        answer_id: As `fresh` makes it.
        size: How many, at most `MOST_PLACES`.
    """
    stem = answer_id[:-DIGITS]
    return [stem + end for end in _endings(size)]


@lru_cache(maxsize=4)
def _endings(size: int) -> Sequence[str]:
    return tuple(map(ending, range(size)))


def ending(place: int) -> str:
    """What the id of the prediction at a place ends in."""
    return f"{place:0{DIGITS}x}"


def place(prediction_id: str) -> tuple[str, int]:
    """The answer that a prediction is of, and its place there."""
    return prediction_id[:-DIGITS] + ending(0), int(prediction_id[-DIGITS:], 16)
