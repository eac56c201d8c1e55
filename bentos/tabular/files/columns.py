"""Columns: an upload's header held against the contract, before any row is read."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from tabular.problem import MOST_FAULTS, Fault, ProblemError
from tabular.releases.contract import Contract
from tabular.releases.reading import QUOTED, refuse, resembling, step
from tabular.releases.schema import Schema

#: Longer headers are not read.
LONGEST_HEADER = 1 << 16

_BOM = b"\xef\xbb\xbf"
_FIRST_LINE = re.compile(rb"[\r\n]*([^\r\n]+)[\r\n]")
#: What else spreadsheets put between cells.
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Layout:
    """Which column of an upload is which.

    Attributes:
        text: The header as it was sent.
        names: Every column's name, in the upload's order.
        added: The answer's own columns, which follow those.
    """

    text: str
    names: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many cells a row has."""
        return len(self.names)


def split(data: bytes, last: bool) -> tuple[bytes, bytes] | None:
    """The header's line and what follows it, or None where its end has not come yet.

    Args:
        data: The upload's beginning.
        last: Whether nothing follows.

    Raises:
        ProblemError: There is no header, or no end of it.
    """
    data = data.removeprefix(_BOM)
    found = _FIRST_LINE.match(data + b"\n" if last else data)
    if found and len(found[1]) <= LONGEST_HEADER:
        return found[1], data[found.end(1) :]
    if found or len(data) > LONGEST_HEADER:
        raise _unreadable(f"the header is longer than {LONGEST_HEADER} bytes; separate rows by line ends")
    if last:
        raise _unreadable("it is empty; begin with a header line that names the columns")
    return None


def layout(line: bytes, contract: Contract, schema: Schema, added: Sequence[str]) -> Layout:
    """Hold a header against the contract.

    Args:
        line: The header without its line end.
        contract: What the release promises.
        schema: Its inputs.
        added: The names of the answer's own columns.

    Raises:
        ProblemError: It is no header, or not of this contract; it lists every fault.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    try:
        (names,) = csv.reader([text], strict=True)
    except csv.Error:
        raise _unreadable("the header has a quote that is not closed") from None
    if "\0" in text:
        raise _unreadable("the header has a NUL byte; save it as UTF-8")
    for separator, title in _SEPARATORS.items():
        if len(names) == 1 and separator in text and len(contract.inputs) > 1:
            raise _unreadable(f"its cells are separated by {title}; separate them by commas")
    refuse([*islice(_faults(names, contract, schema, added), MOST_FAULTS)])
    return Layout(text, tuple(names), tuple(added))


def _faults(names: Sequence[str], contract: Contract, schema: Schema, added: Sequence[str]) -> Iterator[Fault]:
    inputs = [field.name for field in schema.fields]
    for name, count in Counter(names).items():
        if count > 1:
            yield Fault(step("header", name), "occurs more than once", count, "each name once")
        if name in inputs:
            continue
        if contract.limits.unknown_fields == "reject":
            yield Fault(step("header", name), "is not an input of this model", None, resembling(name, inputs))
        elif name in added:
            yield Fault(step("header", name), "is a column of the answer", None, "another name")
    for field in schema.fields:
        if field.name not in names and not field.missing:
            near = get_close_matches(field.name, [name for name in names if name not in inputs], n=1)
            hint = f"; is it what you call {near[0][:QUOTED]}?" if near else ""
            yield Fault(step("header", field.name), "is missing", None, f"a column of this name{hint}")


def _unreadable(detail: str) -> ProblemError:
    return ProblemError(400, "malformed-csv", detail)
