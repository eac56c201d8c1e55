"""Contents: what stands in a CSV file that nothing is known about yet, as text."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sluice.domain.errors import SourceError
from sluice.ingestion import layout as layouts

#: Most rows kept, and most fields of them, because wide rows take as much memory as many; of more, an even sample is.
MOST_ROWS = 100_000
MOST_FIELDS = 5_000_000

#: Records by which the delimiter is told.
PROBE = 200

#: Share of rows with a wrong number of fields from which the file is not the table it seems.
MOST_RAGGED = 0.05


@dataclass(frozen=True)
class Contents:
    """A file's fields as text.

    Attributes:
        path: The file, absolute.
        header: Without stray spaces.
        delimiter: What stands between fields.
        rows: How many rows the file holds, ragged ones left out.
        ragged: How many rows have another number of fields than the header.
        first_ragged: The line that the first of those ends on.
        fields: For each of the header's names the rows' texts; all of them, or an even sample.
    """

    path: Path
    header: tuple[str, ...]
    delimiter: str
    rows: int
    ragged: int
    first_ragged: int
    fields: tuple[list[str], ...]

    @property
    def kept(self) -> int:
        """How many rows are here."""
        return len(self.fields[0])


def read(path: Path) -> Contents:
    """Read a whole file.

    Raises:
        SourceError: There is none, it is no UTF-8 CSV with at least two fields and one row, its header names two
            fields alike or one over several lines, or too many rows have another number of fields than the header.
    """
    path = path.expanduser().absolute()
    uri = str(path)
    try:
        if path.is_dir():
            raise SourceError("the source is a folder", uri, "name one CSV file in it")
        delimiter = _delimiter(path, uri)
        layout = layouts.header(path, uri, delimiter)
        _refuse_header(layout.header, uri)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _collected(path, layout, file)
    except FileNotFoundError as error:
        raise SourceError("there is no such file", uri, _advice(path)) from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"the source is not UTF-8 text: it holds the byte {error.object[error.start]:#04x}",
            uri,
            "save it as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8 old.csv > new.csv",
        ) from error
    except OSError as error:
        raise SourceError(f"the source cannot be read: {error.strerror}", uri, "check the path and rights") from error


def _refuse_header(header: tuple[str, ...], uri: str) -> None:
    layouts.refuse_repeated(header, uri)
    if len(header) < 2:
        raise SourceError(
            "the source is not a table: its header has one field only",
            uri,
            "separate the fields by commas, semicolons, tabs or bars, and name them in the first line",
        )
    broken = next((name for name in header if "\n" in name or "\r" in name), None)
    if broken is not None:
        raise SourceError(
            f"the header names a field over several lines: {broken[:60]!r}", uri, "take the line end out of the name"
        )


def _advice(path: Path) -> str:
    near = sorted(p.name for p in path.parent.glob("*.csv")) if path.parent.is_dir() else []
    return f"the folder has: {', '.join(near)[:200]}" if near else "check the path"


def _delimiter(path: Path, uri: str) -> str:
    """What divides the first records into the most equal numbers of fields, a comma where nothing does."""

    def evenness(delimiter: str) -> tuple[float, int]:
        width = len(layouts.header(path, uri, delimiter).header)
        if width < 2:
            return 0.0, width
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            try:
                widths = [
                    len(r) for r, _ in zip(csv.reader(file, delimiter=delimiter), range(PROBE), strict=False) if r
                ]
            except csv.Error:
                return 0.0, width
        return sum(w == width for w in widths) / len(widths), width

    return max(layouts.DELIMITERS, key=evenness)


def _collected(path: Path, layout: layouts.Layout, file: TextIO) -> Contents:
    width = len(layout.header)
    most = min(MOST_ROWS, max(1, MOST_FIELDS // width))
    rows = ragged = first_ragged = line = 0
    kept: list[list[str]] = []
    chance = random.Random(0)  # noqa: S311 - the same file gives the same sample
    # Strict, because a quote that is never closed would otherwise swallow the rest of the file.
    parser = csv.reader(_lines(file, str(path)), delimiter=layout.delimiter, strict=True)
    try:
        next(parser)
        line = parser.line_num
        for record in parser:
            ends = parser.line_num - line - 1
            if len(record) != width and ends > 0:
                raise csv.Error(f"a quote in it reaches over {ends} line ends")
            line = parser.line_num
            if not record:
                continue
            if len(record) != width:
                ragged, first_ragged = ragged + 1, first_ragged or parser.line_num
                continue
            rows += 1
            if len(kept) < most:
                kept.append(record)
            elif (place := chance.randrange(rows)) < most:
                kept[place] = record
    except csv.Error as error:
        raise SourceError(
            f"line {line + 1} cannot be read: {error}", str(path), "close or double its quotes"
        ) from error
    _refuse(layout, str(path), rows, ragged, first_ragged)
    return Contents(
        path, layout.header, layout.delimiter, rows, ragged, first_ragged, tuple(map(list, zip(*kept, strict=True)))
    )


def _refuse(layout: layouts.Layout, uri: str, rows: int, ragged: int, first: int) -> None:
    if rows + ragged == 0:
        raise SourceError("the source has a header but no rows", uri, "look at what wrote it")
    if ragged > MOST_RAGGED * (rows + ragged):
        raise SourceError(
            f"{ragged} of {rows + ragged} rows have not the {len(layout.header)} fields that the header has, "
            f"the first on line {first}",
            uri,
            "put texts that hold the separator in quotes, or look at what wrote the file",
        )


def _lines(file: TextIO, uri: str) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if "\0" in line:
            raise SourceError(
                f"line {number} holds a NUL byte, which no text does",
                uri,
                r"look at what wrote the file, or remove them: tr -d '\000' < old.csv > new.csv",
            )
        yield line
