"""Parts: which rows the warehouse will hold out, told before any row is in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sluice.domain.errors import DataError

#: What training asks for at least; a test compares it with `training.snapshots`.
FEWEST_TRAIN_ROWS = 100
#: What the gate asks for at least, and what an interval of 90 % needs to be measured.
FEWEST_TEST_ROWS = 20
FEWEST_CALIBRATION_ROWS = 10
FEWEST_ROWS = FEWEST_TRAIN_ROWS + FEWEST_TEST_ROWS + FEWEST_CALIBRATION_ROWS

#: Shares of test and calibration rows, the usual one first; the others are for few rows.
SHARES = ((0.2, 0.1), (0.25, 0.15), (0.2, 0.15), (0.25, 0.1), (0.22, 0.12), (0.2, 0.12), (0.18, 0.1), (0.16, 0.08))


@dataclass(frozen=True)
class Parts:
    """A division into parts.

    Attributes:
        test: Share of test rows.
        calibration: Share of calibration rows.
        counts: Rows in `test`, `calibration` and `train`.
        train: By row, whether it is one to train on.
    """

    test: float
    calibration: float
    counts: dict[str, int]
    train: NDArray[np.bool_]


def identities(use_case: str, columns: Sequence[NDArray[Any]], integers: Sequence[bool]) -> NDArray[Any]:
    """A number from 0 to 1 for each row, as the view `validated` derives it from the row's identity.

    Args:
        use_case: Its name.
        columns: The identity's values by column: doubles with NaN, or texts with None.
        integers: For each column, whether its numbers are landed as integers; True for booleans alike.
    """
    texts = [_texts(values, whole) for values, whole in zip(columns, integers, strict=True)]
    shares = np.empty(len(columns[0]))
    for row, values in enumerate(zip(*texts, strict=True)):
        written = json.dumps([use_case, *values], ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.md5(written.encode(), usedforsecurity=False).hexdigest()
        shares[row] = int(digest[:8], 16) / 2**32
    return shares


def divide(shares: NDArray[Any], classes: NDArray[Any] | None, where: str) -> Parts:
    """Choose the shares of test and calibration rows.

    Args:
        shares: As `identities` returns them.
        classes: By row the class as a number; None for a regression.
        where: The file, for the error.

    Raises:
        DataError: No division leaves enough rows in every part.
    """
    for test, calibration in SHARES:
        train = shares >= test + calibration
        held_out = shares < test
        counts = {
            "test": int(held_out.sum()),
            "calibration": int((~train & ~held_out).sum()),
            "train": int(train.sum()),
        }
        if _enough(counts) and (classes is None or set(classes[train]) == set(classes[held_out]) == set(classes)):
            return Parts(test, calibration, counts, train)
    raise too_few(len(shares), where)


def too_few(rows: int, where: str) -> DataError:
    """What is wrong with so few rows."""
    return DataError(
        f"{rows} rows are too few: {FEWEST_TRAIN_ROWS} are needed to train on, {FEWEST_TEST_ROWS} to judge on and "
        f"{FEWEST_CALIBRATION_ROWS} to calibrate on, each class among them",
        where,
        f"collect more rows; about {round(FEWEST_ROWS * 1.15, -1):.0f} different ones will do",
    )


def _enough(counts: dict[str, int]) -> bool:
    return (
        counts["train"] >= FEWEST_TRAIN_ROWS
        and counts["test"] >= FEWEST_TEST_ROWS
        and counts["calibration"] >= FEWEST_CALIBRATION_ROWS
    )


def _texts(values: NDArray[Any], whole: bool) -> list[str | None]:
    """Values as Postgres writes them."""
    codes, uniques = pd.factorize(values)
    texts = [_text(value, whole) for value in uniques]
    return [texts[code] if code >= 0 else None for code in codes]


def _text(value: Any, whole: bool) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if whole else repr(float(value) + 0.0).removesuffix(".0")
