"""Ids: of requests, and of answers and their predictions."""

from __future__ import annotations

import os
import time

#: An answer has at most so many predictions: their places are the last 16 bits of their ids.
MOST_PLACES = 1 << 16


def fresh() -> str:
    """A new id of 128 bits as a UUID's text, unlike any other in all but its last 16 bits, which are 0.

    Version 7 of RFC 9562: ids made later sort later, so that an index over them grows at one end.
    """
    noise = int.from_bytes(os.urandom(8), "big")
    made = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | 7 << 76 | (noise >> 52) << 64
    digits = f"{made | 2 << 62 | (noise & (1 << 46) - 1) << 16:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def predictions(answer_id: str, size: int) -> list[str]:
    """The ids of an answer's predictions, by their places.

    Args:
        answer_id: As `fresh` makes it.
        size: How many, at most `MOST_PLACES`.
    """
    stem = answer_id[:-4]
    return [f"{stem}{place:04x}" for place in range(size)]
