"""Tolerant readings: a file's text, value by value, as what it was meant to be, or a reason why not."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO

from sluice.domain.columns import Column, ColumnType
from sluice.ingestion.layout import Layout

#: Texts, in lower case, that mean that there is no value.
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "--"})

TRUE = frozenset({"true", "t", "yes", "y", "on", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "off", "0", "0.0"})

MALFORMED = "malformed"
UNREADABLE = "unreadable"

#: Rows joined before they are handed on.
CHUNK = 2_000

#: Bytes after which a line is cut, so that no file can fill the memory.
LONGEST = 1 << 20

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

#: Other characters that are written where a space or an apostrophe separates thousands.
LOOKALIKES = str.maketrans(
    {
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
        "\N{THIN SPACE}": " ",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    }
)


@dataclass
class Reading:
    """One pass over a file's rows in constant memory.

    Attributes:
        rows: How many rows were read so far, good and bad.
        bad: How many of them went aside.
    """

    columns: tuple[Column, ...]
    layout: Layout
    rows: int = field(default=0, init=False)
    bad: int = field(default=0, init=False)

    def good(self, file: BinaryIO, batch_id: int, aside: BinaryIO) -> Iterator[bytes]:
        """Lines in COPY's text format: the columns in declared order, and the row's number.

        Args:
            file: Stands where the rows begin.
            batch_id: Written into the lines that go aside.
            aside: Gets a COPY line for every row that cannot be read: batch, row, content, reasons.
        """
        width = len(self.layout.header)
        readers = [(place, reader(c)) for c, place in zip(self.columns, self.layout.fields, strict=True)]
        lines: list[str] = []
        for number, fields in enumerate(self._records(file), start=1):
            self.rows = number
            try:
                if len(fields) != width:
                    raise ValueError(MALFORMED)
                lines.append("\t".join([read(fields[place]) for place, read in readers]) + f"\t{number}\n")
            except ValueError:
                self.bad += 1
                aside.write(self._aside(batch_id, fields))
            if len(lines) >= CHUNK:
                yield "".join(lines).encode()
                lines.clear()
        yield "".join(lines).encode()

    def _records(self, file: BinaryIO) -> Iterator[list[str]]:
        """The file's rows; a stray quote that swallows line ends costs its own line, not the next ones."""
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for raw in iter(partial(file.readline, LONGEST), b""):
                taken.append(raw.decode("utf-8", errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}"))
                yield taken[-1]

        parser = csv.reader(lines(), delimiter=self.layout.delimiter)
        while True:
            taken.clear()
            try:
                fields = next(parser, None)
            except csv.Error:
                fields = []
            if fields is None:
                return
            if len(taken) > 1 and not self._holds(fields):
                yield from (_alone(line, self.layout.delimiter) for line in taken if line.strip())
            elif "".join(taken).strip():
                yield fields or [taken[0]]

    def _holds(self, fields: list[str]) -> bool:
        """Whether a row of several lines is one row: no column of the use case has a line end in it."""
        whole = len(fields) == len(self.layout.header)
        return whole and not any("\n" in fields[i] or "\r" in fields[i] for i in self.layout.fields)

    def _aside(self, batch_id: int, fields: list[str]) -> bytes:
        """A row that cannot be read, with the reasons, as a line for the quarantine."""
        if len(fields) != len(self.layout.header):
            content: object = {"fields": fields}
            reasons = [MALFORMED]
        else:
            content = dict(zip(self.layout.header, fields, strict=True))
            places = zip(self.columns, self.layout.fields, strict=True)
            reasons = [f"{UNREADABLE}:{c.name}" for c, place in places if not _readable(c, fields[place])]
        codes = "{" + ",".join(json.dumps(reason) for reason in reasons) + "}"
        parts = (str(batch_id), str(self.rows), json.dumps(content), codes)
        return ("\t".join(part.translate(ESCAPES) for part in parts) + "\n").encode()


def reader(column: Column) -> Callable[[str], str]:
    r"""How a column's text is read: text to COPY text, `\N` for a missing value.

    The reader raises ValueError for text that cannot be meant as a value of the column's type.
    """
    if column.type == "category":
        return _category(column)
    parse = _parser(column)

    def read(text: str) -> str:
        try:
            return parse(text)
        except ValueError:
            if text.strip().lower() in MISSING:
                return "\\N"
            raise

    return read


def plain(column: Column) -> bool:
    """Whether Postgres reads the column's values as they stand, or else refuses them."""
    return column.thousands is None and column.format is None


def _parser(column: Column) -> Callable[[str], str]:
    parse = PARSERS[column.type]
    if column.thousands is not None:
        return partial(_grouped, parse, column.thousands)
    return parse if column.format is None else partial(_dated, column.format)


def _readable(column: Column, text: str) -> bool:
    try:
        reader(column)(text)
    except ValueError:
        return False
    return True


def _category(column: Column) -> Callable[[str], str]:
    known = {name: name.translate(ESCAPES) for name in column.categories or ()}

    def read(text: str) -> str:
        if text in known:
            return known[text]
        text = text.strip()
        if text in known:
            return known[text]
        return "\\N" if text.lower() in MISSING else text.translate(ESCAPES)

    return read


def _number(text: str) -> str:
    value = float(text)
    if value != value or "_" in text:
        raise ValueError(text)
    return repr(value)


def _integer(text: str) -> str:
    try:
        value = int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        value = int(number)
    if "_" in text or not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return str(value)


def _boolean(text: str) -> str:
    lowered = text.strip().lower()
    if lowered in TRUE:
        return "t"
    if lowered in FALSE:
        return "f"
    raise ValueError(text)


def _timestamp(text: str) -> str:
    moment = datetime.fromisoformat(text.strip().replace("/", "-"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _dated(pattern: str, text: str) -> str:
    moment = datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - the zone follows
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _grouped(parse: Callable[[str], str], separator: str, text: str) -> str:
    """A number with separated thousands; 1,5 is not 15, so separators must stand where they belong."""
    text = text.strip().translate(LOOKALIKES)
    if not GROUPED[separator].fullmatch(text):
        raise ValueError(text)
    return parse(text.replace(separator, "").replace(",", "."))


def _grouping(separator: str) -> re.Pattern[str]:
    group, point = re.escape(separator), "," if separator == "." else r"\."
    whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+|(?={point}\d))"
    return re.compile(rf"[+-]?{whole}(?:{point}\d*)?(?:[eE][+-]?\d+)?", re.ASCII)


def _alone(line: str, delimiter: str) -> list[str]:
    """One line's fields, or the whole line where not even that can be read."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]


#: How the text of a value that is there becomes COPY text, by column type.
PARSERS: dict[ColumnType, Callable[[str], str]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "timestamp": _timestamp,
}

#: Numbers as they are written where thousands may be separated, by the separator.
GROUPED = {separator: _grouping(separator) for separator in (",", ".", " ", "'")}
