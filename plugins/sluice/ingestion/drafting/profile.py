"""The profile: what each field of a CSV file holds, as far as its values tell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sluice.domain.columns import Column
from sluice.domain.use_case import RESERVED
from sluice.ingestion.drafting.contents import Contents
from sluice.ingestion.readings import FALSE, MISSING, TRUE, reader

Separator = Literal[",", ".", " ", "'"]
Kind = Literal["integer", "number", "boolean", "category", "timestamp", "text", "empty"]

#: Most values of a category, and how many of the rows there may be for each.
MOST_CATEGORIES = 50
MOST_DISTINCT = 0.2

#: Share of the values that must read as a number or a date where the rest are taken for mistakes.
MOSTLY = 0.95

#: Texts by which a way of reading is ruled out.
PROBE = 60

#: Texts of `MISSING` that are as often a category's value.
SAYS_NONE = frozenset({"none"})

DIGITS = re.compile(r"[+-]?\d+")
#: A number whose commas can only be read as separating thousands if they separate anything.
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
LEADING_ZERO = re.compile(r"0\d+")

DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
WORDS = ("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y")
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")

#: How dates are written that are not ISO 8601, the likelier way first.
FORMATS = tuple(day + time for day in (*DAYS, *WORDS) for time in TIMES)


@dataclass(frozen=True, eq=False)
class Field:
    """One field of the file.

    Attributes:
        header: As the file names it.
        name: As a column may be named.
        kind: What its values are.
        values: By row: doubles with NaN for numbers, integers and booleans, else texts with None for missing.
        missing: Rows without a value.
        readable: By row, whether its value is missing or of the kind.
        counts: Rows for each text, most first.
        thousands: As in `Column.thousands`.
        format: As in `Column.format`.
        example: One text of it that cannot be read, or that shows what it holds.
        broken: Whether a text of it holds a line end, which no column that ingestion reads may.
    """

    header: str
    name: str
    kind: Kind
    values: NDArray[Any] = field(repr=False)
    missing: int
    readable: NDArray[np.bool_] = field(repr=False)
    counts: dict[str, int] = field(repr=False)
    thousands: Separator | None = None
    format: str | None = None
    example: str = ""
    broken: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.kind in ("integer", "number")

    @property
    def unreadable(self) -> int:
        """How many rows hold a value of another kind."""
        return int((~self.readable).sum())

    @property
    def distinct(self) -> int:
        """How many different texts it holds, missing ones left out."""
        return len(self.counts)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    @property
    def known(self) -> NDArray[Any]:
        """The values that are there."""
        return self.values[~pd.isna(self.values)]

    @property
    def missing_share(self) -> float:
        """Share of rows without a value."""
        return self.missing / self.rows


@dataclass(frozen=True, eq=False)
class Profile:
    """A file and its fields, those without a name left out."""

    contents: Contents = field(repr=False)
    fields: tuple[Field, ...]
    unnamed: int
    """How many fields have no name."""


@dataclass(frozen=True)
class _Reading:
    """One way to read a field."""

    kind: Kind
    thousands: Separator | None = None
    format: str | None = None

    def values(self, texts: list[str]) -> list[Any]:
        """What each text is; None where it is something else."""
        read = reader(Column(name="x", type=self.kind, role="ignore", thousands=self.thousands, format=self.format))  # type: ignore[arg-type]
        return [_read(self, read, text) for text in texts]


def take(contents: Contents) -> Profile:
    """Profile a file."""
    named = [(h, texts) for h, texts in zip(contents.header, contents.fields, strict=True) if h]
    names = _names([header for header, _ in named])
    fields = tuple(_field(h, n, texts, contents.delimiter) for (h, texts), n in zip(named, names, strict=True))
    return Profile(contents, fields, len(contents.header) - len(named))


def name_of(header: str) -> str:
    """A header as a name that Postgres, ONNX and a URL take; the header itself where it is one."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,47}", header) and header not in RESERVED:
        return header
    plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if name in RESERVED or not name[:1].isalpha():
        name = f"column_{name}".rstrip("_")
    return name[:48]


def _names(headers: list[str]) -> list[str]:
    """A name for each header, no two alike; headers that are names keep them."""
    taken = {header for header in headers if name_of(header) == header}
    names = []
    for header in headers:
        name = base = name_of(header)
        number = 2
        while name != header and name in taken:
            name, number = f"{base[:44]}_{number}", number + 1
        taken.add(name)
        names.append(name)
    return names


def _field(header: str, name: str, texts: list[str], delimiter: str) -> Field:
    codes, found = pd.factorize(np.array([text.strip() for text in texts], dtype=object))
    uniques = [str(text) for text in found]
    weights = np.bincount(codes, minlength=len(uniques))
    absent = np.array([text.lower() in MISSING for text in uniques], dtype=bool)
    present = [text for text, gone in zip(uniques, absent, strict=True) if not gone]
    # The texts as they stand: ingestion looks for line ends before it strips them.
    broken = any("\n" in text or "\r" in text for text in texts)
    way = None if broken else _way(present, weights[~absent], len(texts), delimiter)
    if way is None:
        return _words(header, name, uniques, weights, codes, broken)
    of_present = iter(way.values(present))
    read = np.array([np.nan if gone else next(of_present) for gone in absent], dtype=_dtype(way))
    unread = pd.isna(read) & ~absent
    counts = {text: int(w) for text, w, gone in zip(uniques, weights, absent | unread, strict=True) if not gone}
    return Field(
        header=header,
        name=name,
        kind=way.kind if present else "empty",
        values=read[codes],
        missing=int(weights[absent].sum()),
        readable=~unread[codes],
        counts=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        thousands=way.thousands,
        format=way.format,
        example=next((text for text, u in zip(uniques, unread, strict=True) if u), ""),
    )


def _words(
    header: str, name: str, uniques: list[str], weights: NDArray[Any], codes: NDArray[Any], broken: bool
) -> Field:
    """A field of categories or texts, where "none" is a value."""
    absent = np.array([text.lower() in MISSING - SAYS_NONE for text in uniques], dtype=bool)
    counts = {text: int(w) for text, w, gone in zip(uniques, weights, absent, strict=True) if not gone}
    few = len(counts) <= min(MOST_CATEGORIES, max(2, MOST_DISTINCT * len(codes)))
    return Field(
        header=header,
        name=name,
        kind="category" if few and not broken else "text",
        values=np.array([None if gone else text for text, gone in zip(uniques, absent, strict=True)], object)[codes],
        missing=int(weights[absent].sum()),
        readable=np.ones(len(codes), dtype=bool),
        counts=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        example=next(iter(counts), ""),
        broken=broken,
    )


def _way(texts: list[str], weights: NDArray[Any], rows: int, delimiter: str) -> _Reading | None:
    """How texts are best read: a way that reads all of them, else one that reads nearly all of many; None as words."""
    if not texts:
        return _Reading("number")
    if any(LEADING_ZERO.fullmatch(text) for text in texts):
        return None
    several = len(texts) > min(MOST_CATEGORIES, MOST_DISTINCT * rows)
    probe = [texts[i] for i in np.argsort(-weights, kind="stable")[:PROBE]]
    nearly = None
    for way in _ways(texts, delimiter):
        if np.mean([value is not None for value in way.values(probe)]) < (MOSTLY - 0.15 if several else 1):
            continue
        readable = np.array([value is not None for value in way.values(texts)])
        if readable.all():
            return way
        if nearly is None and several and way.kind != "boolean" and weights[readable].sum() >= MOSTLY * weights.sum():
            nearly = way
    return nearly


def _ways(texts: list[str], delimiter: str) -> Iterator[_Reading]:
    """The ways to read texts that are worth a try, the plainest first."""
    yield _Reading("integer")
    yield _Reading("number")
    if all(text.lower() in TRUE | FALSE for text in texts):
        yield _Reading("boolean")
    # Beside semicolons a comma is more likely the point, unless every one of them has three digits behind it.
    with_commas = [text for text in texts if "," in text]
    points = delimiter == ";" and not all(GROUPED.fullmatch(text) for text in with_commas)
    separators: tuple[Separator, ...] = (".", ",", " ", "'") if points else (",", ".", " ", "'")
    for separator in separators:
        if any(separator in text or (separator == "." and "," in text) for text in texts):
            yield _Reading("integer", thousands=separator)
            yield _Reading("number", thousands=separator)
    if any(len(text) >= 6 and any(c in "-/.: " for c in text) for text in texts):
        yield _Reading("timestamp")
        yield from (_Reading("timestamp", format=pattern) for pattern in FORMATS)


def _read(way: _Reading, read: Any, text: str) -> Any:
    """A text as a value, read as ingestion does; None where it is something else."""
    if way.kind == "integer" and not way.thousands and not DIGITS.fullmatch(text):
        return None
    if way.kind == "timestamp" and text.isdigit():
        return None
    try:
        value = read(text)
    except ValueError:
        return None
    if way.kind == "boolean":
        return float(value == "t")
    if way.kind == "timestamp":
        return value
    number = float(value)
    # Beyond this a double is no longer the integer that was written.
    exact = way.kind == "number" or abs(number) <= 2**53
    return number if np.isfinite(number) and exact else None


def _dtype(way: _Reading) -> Any:
    return object if way.kind == "timestamp" else np.float64
