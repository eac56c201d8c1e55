"""The layout of a CSV file: which field holds which column, and where the rows begin."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from sluice.domain.columns import Column
from sluice.domain.errors import SourceError

#: Bytes looked at to tell a table from anything else; also the longest header.
HEAD = 1 << 16

#: What may stand between fields, the usual one first.
DELIMITERS = (",", ";", "\t", "|")

#: First bytes of files that are often taken for a CSV.
MAGIC = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet",
    b"\x1f\x8b": "gzip-compressed",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


@dataclass(frozen=True)
class Layout:
    """Where a file's fields are.

    Attributes:
        header: The file's header, without stray spaces.
        fields: For each of the use case's columns, the number of its field.
        offset: Where the first row begins, in bytes.
        delimiter: What stands between fields.
    """

    header: tuple[str, ...]
    fields: tuple[int, ...]
    offset: int
    delimiter: str = ","

    @property
    def extra(self) -> tuple[str, ...]:
        """Headers of fields that the use case does not have."""
        return tuple(name for i, name in enumerate(self.header) if i not in self.fields)


def read(path: Path, uri: str, columns: tuple[Column, ...]) -> Layout:
    """Read a file's header and match it with the columns, in any order.

    Raises:
        SourceError: The file is not a CSV, is empty, or its header lacks or repeats a column.
    """
    return match(look(path, uri, columns), uri, columns)


def look(path: Path, uri: str, columns: tuple[Column, ...]) -> Layout:
    """Read a file's header, not matched yet; what stands between fields is what makes it name the most columns.

    Raises:
        SourceError: The file is not a CSV, or is empty.
    """
    wanted = {column.source_header.strip() for column in columns}
    found = [header(path, uri, delimiter) for delimiter in DELIMITERS]
    return max(found, key=lambda each: len(wanted.intersection(each.header)))


def match(layout: Layout, uri: str, columns: tuple[Column, ...]) -> Layout:
    """Find the columns in a header, in any order.

    Raises:
        SourceError: It lacks or repeats a column.
    """
    refuse_repeated(layout.header, uri)
    fields = tuple(_field(column, layout.header, uri) for column in columns)
    return Layout(layout.header, fields, layout.offset, layout.delimiter)


def header(path: Path, uri: str, delimiter: str) -> Layout:
    """Read a file's header, matched with no columns.

    Raises:
        SourceError: The file is not a CSV, or is empty.
    """
    with path.open("rb") as file:
        _refuse_what_is_no_table(file.read(HEAD), uri)
        file.seek(0)
        try:
            raw = next(csv.reader(_decoded(file.readline, uri), delimiter=delimiter), [])
        except csv.Error as error:
            raise _no_csv(f"its header cannot be read: {error}", uri) from error
        offset = file.tell()
    return Layout(tuple(name.strip() for name in raw), (), offset, delimiter)


def refuse_repeated(names: tuple[str, ...], uri: str) -> None:
    """Refuse a header that gives two fields one name.

    Raises:
        SourceError: It does.
    """
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise SourceError(f"the header names {repeated[0]!r} twice", uri, "rename one of the two fields")


def _refuse_what_is_no_table(head: bytes, uri: str) -> None:
    if not head.strip():
        raise SourceError("the source is empty", uri, "look at what wrote it")
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            raise _no_csv(f"it is {what}", uri)
    if b"\0" in head:
        raise _no_csv("it is binary", uri)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{", b"[")):
        raise _no_csv("it looks like HTML, XML or JSON", uri)


def _decoded(readline: Callable[[int], bytes], uri: str) -> Iterator[str]:
    """The file's first lines, one at a time, as far as a header may reach."""
    left = HEAD
    while line := readline(left):
        left -= len(line)
        if left <= 0:
            raise _no_csv(f"its header is longer than {HEAD} bytes", uri)
        yield line.decode("utf-8-sig", errors="replace")


def _field(column: Column, header: tuple[str, ...], uri: str) -> int:
    wanted = column.source_header.strip()
    if wanted in header:
        return header.index(wanted)
    near = get_close_matches(wanted, header, n=1)
    found = ", ".join(header)[:200]
    hint = f"is it {near[0]!r}? Then give the column that `header`" if near else f"the header has: {found}"
    if len(header) == 1:
        hint = "fields must be separated by commas, semicolons, tabs or bars"
    raise SourceError(f"the header lacks the column {wanted!r}", uri, hint)


def _no_csv(what: str, uri: str) -> SourceError:
    return SourceError(f"the source is not a CSV file: {what}", uri, "give a comma-separated UTF-8 text file")
