"""Cells: what a cell's text means, and what is wrong with a row of them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from tabular.problem import Fault
from tabular.releases.contract import Contract, Value
from tabular.releases.reading import QUOTED, step
from tabular.releases.schema import Row, Schema

#: Texts in lower case that mean true or false: the same as in the files that models learn from.
TRUE = frozenset({"true", "t", "yes", "y", "on", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "off", "0", "0.0"})
#: A number, as `float` reads it less its words and its underscores.
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
#: What may stand around a number or a boolean.
BLANKS = " \t"
#: Longer descriptions of what is wrong with a row are cut.
LONGEST_ERROR = 500

_NUMBER = re.compile(NUMBER)
_SPECIAL = re.compile(r'[",\r\n]')
#: Larger whole numbers are no longer exact as doubles.
_WHOLE = re.compile(r"-?[0-9]{1,15}")


def meant(text: str, kind: str) -> Value:
    """What a cell means.

    Args:
        text: The cell's text, without quotes.
        kind: The input's type in the contract.

    Returns:
        None for an empty cell; the text itself where it means nothing of that type.
    """
    if not text:
        return None
    if kind == "category":
        return text
    bare = text.strip(BLANKS)
    if kind == "boolean":
        lowered = bare.lower()
        return True if lowered in TRUE else False if lowered in FALSE else text
    if not _NUMBER.fullmatch(bare):
        return text
    return int(bare) if _WHOLE.fullmatch(bare) else float(bare)


class Reader:
    """Reads rows one by one; exact, and slow.

    Args:
        contract: What the release promises.
        schema: Its inputs.
        names: Of the upload's columns.
    """

    def __init__(self, contract: Contract, schema: Schema, names: Sequence[str]) -> None:
        self._schema = schema
        self._width = len(names)
        kinds = {given.name: given.type for given in contract.inputs}
        self._inputs = [(place, name, kinds[name]) for place, name in enumerate(names) if name in kinds]

    def row(self, text: bytes) -> tuple[Row, str]:
        """A row's values and what is wrong with them; empty where nothing is."""
        if told := self.illegible(text):
            return (), told
        cells = self.cells(text.decode("utf-8"))
        if len(cells) != self._width:
            return (), self.miscounted(len(cells))
        instance = {name: meant(cells[place], kind) for place, name, kind in self._inputs}
        shown = {step("", name): cells[place] for place, name, _ in self._inputs}
        faults: list[Fault] = []
        row = self._schema.row("", instance, faults)
        return row, shortened("; ".join(_told(fault, shown.get(fault.path, "")) for fault in faults))

    def illegible(self, text: bytes) -> str:
        """What keeps a row from being read as text; empty where nothing does."""
        if b"\0" in text:
            return "the row has a NUL byte"
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            return f"the row is not UTF-8 from its byte {error.start + 1} on"
        return ""

    def miscounted(self, count: int) -> str:
        """What is wrong with a row of so many cells."""
        return f"the row has {count} cells (allowed: {self._width}, as the header)"

    def cells(self, text: str) -> list[str]:
        """A row's cells, whatever it is."""
        return next(csv.reader([text]), [])


def quoted(text: str) -> str:
    """A cell as it is written: in quotes where it needs them."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def shortened(text: str) -> str:
    """A description no longer than it may be."""
    return text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 3]}..."


def _told(fault: Fault, text: str) -> str:
    """What is wrong with a cell, as the file's owner reads it: nothing is null there."""
    value = f"{text[:QUOTED]!r}; " if text else ""
    message = fault.message if text else "is missing"
    return f"{fault.path} {message} ({value}allowed: {(fault.allowed or '').replace(', or null', ', or nothing')})"
