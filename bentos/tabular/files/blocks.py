"""Blocks: a stream of CSV bytes cut into pieces of whole rows, whatever a caller sends."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Bytes that are cut at a time. Larger blocks are hardly faster, and single requests wait longer beside them.
SIZE = 1 << 19
#: Most rows of a block.
MOST_ROWS = 1 << 14
#: Longer rows are not read, so that none can fill the memory; the longest cell that Python's `csv` reads.
LONGEST = 1 << 17

TOO_LONG = f"is longer than {LONGEST} bytes"
ASTRAY = "has a quote that is not closed, or stands within a cell"

Offsets = npt.NDArray[np.int32]

_NEWLINE, _QUOTE = ord("\n"), ord('"')
#: What may stand before a quote that opens, and after one that closes; of a doubled one, the first closes.
_BESIDE = np.frombuffer(b',\n"', np.uint8)
_LINE_END = re.compile(rb"\r\n?")


class Block(NamedTuple):
    """Some whole rows, of which none is empty.

    Attributes:
        data: Every row's text in UTF-8 after a line feed.
        offsets: Where each row's line feed stands, and where the last row ends.
        faults: Place of a row that is no row -> what is wrong with it.
    """

    data: bytes
    offsets: Offsets
    faults: Mapping[int, str]

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.offsets) - 1

    def row(self, place: int) -> bytes:
        """A row's text."""
        return self.data[self.offsets[place] + 1 : self.offsets[place + 1]]

    def only(self, kept: npt.NDArray[np.bool_]) -> bytes:
        """The texts of some rows alone, each after a line feed."""
        lengths = np.diff(self.offsets)
        kept_bytes: npt.NDArray[np.uint8] = np.frombuffer(self.data, np.uint8)[np.repeat(kept, lengths)]
        return kept_bytes.tobytes()

    def parts(self, most: int) -> Iterator[Block]:
        """The same in blocks of at most so many rows."""
        for first in range(0, self.size, most):
            offsets = self.offsets[first : first + most + 1]
            data = self.data[offsets[0] : offsets[-1]]
            faults = {place - first: told for place, told in self.faults.items() if 0 <= place - first < most}
            yield Block(data, offsets - offsets[0], faults)


@dataclass
class Cutter:
    """Takes a stream's bytes in any pieces and gives them back as whole rows.

    Line ends may be LF, CRLF or CR and become LF. A row may go on over several lines within quotes; a stray quote costs
    its own line, not the ones after it. A row that is longer than `LONGEST` is given as an empty one with a fault.

    Attributes:
        width: How many cells a row has.
        most: Rows of a block, at most.
    """

    width: int
    most: int = MOST_ROWS
    _rest: bytes = field(default=b"\n", init=False)
    """What is not given back yet: a line feed and the beginning of a row."""
    _carriage: bool = field(default=False, init=False)
    """Whether the last piece ended by a CR, which may be half of a line end."""
    _skipping: bool = field(default=False, init=False)
    """Whether the stream stands within a row that is too long."""

    def cut(self, piece: bytes) -> Iterator[Block]:
        """Take the stream's next bytes; give the rows that are whole now."""
        if self._carriage:
            piece = b"\r" + piece
        self._carriage = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = _LINE_END.sub(b"\n", piece[:-1] if self._carriage else piece)
        yield from self._rows(piece, last=False)

    def end(self) -> Iterator[Block]:
        """Give what is left when the stream has ended, with or without a line end."""
        yield from self._rows(b"\n", last=True)

    def _rows(self, piece: bytes, last: bool) -> Iterator[Block]:
        if self._skipping:
            _, found, piece = piece.partition(b"\n")
            if not found:
                return
            self._skipping = False
            yield Block(b"\n", np.array([0, 1], np.int32), {0: TOO_LONG})
        data = self._rest + piece
        ends, faults = self._ends(data, last)
        whole = int(ends[-1])
        self._rest = data[whole:]
        if len(self._rest) > LONGEST:
            # Whatever it is, a further look would find no end of it either.
            self._rest, self._skipping = b"\n", True
        if whole:
            yield from _block(data[:whole], ends, faults).parts(self.most)

    def _ends(self, data: bytes, last: bool) -> tuple[Offsets, dict[int, str]]:
        """Where rows begin or end, and the faults of those that are none, by where they begin."""
        text = np.frombuffer(data, np.uint8)
        lines = np.flatnonzero(text == _NEWLINE).astype(np.int32)
        if b'"' not in data:
            return lines, {}
        quotes = np.flatnonzero(text == _QUOTE)
        odd = np.flatnonzero(np.diff(np.searchsorted(quotes, lines)) % 2).tolist()
        # What follows the last line end is looked at when its own has come.
        ends, faults = self._joined(data, lines, odd, last) if odd else (lines, {})
        for begin, end in _irregular(text, quotes, ends):
            if begin not in faults and self._count(data[begin + 1 : end]) is None:
                faults[begin] = ASTRAY
        return ends, faults

    def _joined(self, data: bytes, lines: Offsets, odd: Sequence[int], last: bool) -> tuple[Offsets, dict[int, str]]:
        """Join the lines that are one row: from one with an odd number of quotes to the next such."""
        inner = np.zeros(len(lines), np.bool_)
        faults: dict[int, str] = {}
        turn = 0
        while turn < len(odd):
            first, begin = odd[turn], int(lines[odd[turn]])
            turn += 1
            if self._count(data[begin + 1 : int(lines[first + 1])]) == self.width:
                # Its odd quote stands within a cell and means nothing.
                continue
            if turn < len(odd):
                end = odd[turn] + 1
                if self._count(data[begin + 1 : int(lines[end])]) == self.width:
                    inner[first + 1 : end] = True
                    turn += 1
                    continue
            elif not last and len(data) - begin <= LONGEST:
                return lines[: first + 1][~inner[: first + 1]], faults
            faults[begin] = ASTRAY
        return lines[~inner], faults

    def _count(self, text: bytes) -> int | None:
        """How many cells a row has, or None where its quotes are not in order."""
        if len(text) > LONGEST:
            return None
        try:
            rows = list(csv.reader([text.decode("utf-8", "replace")], strict=True))
        except csv.Error:
            return None
        return len(rows[0]) if rows else 0


def _irregular(text: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp], ends: Offsets) -> Iterator[tuple[int, int]]:
    """Begin and end of the rows with a quote elsewhere than at a cell's beginning or end."""
    quotes = quotes[quotes < ends[-1]]
    firsts = np.searchsorted(quotes, ends)
    rows = np.repeat(np.arange(len(ends) - 1), np.diff(firsts))
    closing = (np.arange(len(quotes)) - firsts[rows]) % 2 == 1
    beside = text[quotes + np.where(closing, 1, -1)]
    for row in np.unique(rows[~np.isin(beside, _BESIDE)]).tolist():
        yield int(ends[row]), int(ends[row + 1])


def _block(data: bytes, ends: Offsets, faults: Mapping[int, str]) -> Block:
    """Whole rows as a block: without empty ones, and without the text of those that are too long."""
    lengths = np.diff(ends)
    kept, long = lengths > 1, lengths > LONGEST
    begins = ends[:-1]
    if not kept.all() or long.any():
        shown = np.repeat(kept & ~long, lengths)
        shown[begins[long]] = True
        data = np.frombuffer(data, np.uint8)[shown].tobytes()
        faults = {**faults, **dict.fromkeys(begins[long].tolist(), TOO_LONG)}
        begins = begins[kept]
        ends = np.concatenate([[0], np.cumsum(np.where(long, 1, lengths)[kept])]).astype(np.int32)
    return Block(data, ends, {int(np.searchsorted(begins, begin)): fault for begin, fault in faults.items()})
