"""CSV files to draft use cases from."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

SPELLINGS = (("no", "false", "0", "N"), ("yes", "True", "1", "y"))
GAPS = ("", "NA", "?", "N/A", "-")


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> Path:
    """A file of rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return path


def wine(path: Path) -> Path:
    """178 wines of three kinds."""
    from sklearn.datasets import load_wine

    load_wine(as_frame=True).frame.to_csv(path, index=False)
    return path


def numbers(path: Path, rows: int = 300, noise: float = 0.5) -> Path:
    """A number that follows from two others."""
    random = np.random.default_rng(1)
    x, z = random.normal(0, 1, rows).round(3), random.normal(5, 2, rows).round(2)
    y = (3 * x + z + random.normal(0, noise, rows)).round(2)
    return write(path, ["x", "z", "y"], zip(x, z, y, strict=True))


def messy(path: Path, rows: int = 600) -> Path:
    """Loans: spaces in the header, mixed booleans, ids, dates, separated thousands, gaps, free text and a leak."""
    random = np.random.default_rng(3)
    age = random.integers(18, 80, rows)
    income = random.lognormal(8, 0.6, rows).round().astype(int)
    score = 0.06 * (age - 45) + 1.2 * (np.log(income) - 8) + random.normal(0, 0.7, rows)
    outcome = np.where(score > 0.8, "yes", "no")
    lines: list[list[object]] = []
    for i in range(rows):
        line: list[object] = [
            1000 + 7 * i,
            age[i],
            f"{income[i]:,}",
            random.choice(SPELLINGS[random.integers(0, 2)]),
            random.choice(["Ghent", "Liège", "Namur"], p=[0.5, 0.3, 0.2]),
            f"{random.integers(1, 29):02}.{random.integers(1, 13):02}.2023",
            f"note {i}, over\ntwo lines",
            "x",
            "A" if outcome[i] == "yes" else "B",
            outcome[i],
        ]
        for place in (1, 2, 3, 4):
            if random.random() < 0.05:
                line[place] = random.choice(GAPS)
        lines.append(line)
    header = [
        "Customer ID",
        " Age ",
        "income (EUR)",
        "Owns home",
        "group",
        "signed up",
        "remark",
        "const",
        "approved at",
    ]
    return write(path, [*header, "outcome"], lines)
