"""Tables: blocks of CSV rows checked column by column, as what the graph takes and what the log keeps.

Imported with the first upload alone: Arrow takes 60 ms and 40 MB, which a service without uploads need not spend.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tabular.files.blocks import Block
from tabular.files.cells import BLANKS, NUMBER, Reader, meant, quoted
from tabular.record.redaction import Redaction, Take
from tabular.releases.bundle import Bundle, Tensors
from tabular.releases.contract import Input, Value
from tabular.releases.fields import EXACT, Field

# Arrow's own allocator keeps 20 MB more to itself, and is no faster here.
pa.set_memory_pool(pa.system_memory_pool())

Mask = npt.NDArray[np.bool_]
#: An array of text, as Arrow holds it; the library declares no types.
Texts: TypeAlias = Any

#: Characters of a number that is logged as it was written; doubles hold all of those.
_LONGEST = 200
_MINUS, _ZERO, _ONE, _NINE = b"-019"


class Checked(NamedTuple):
    """What a block's rows turned out to be.

    Attributes:
        places: Of the good rows in the block.
        errors: Place of every other row -> what is wrong with it.
        broken: Place of every row that is none -> as many cells as one has, of what could be read.
        tensors: The graph's inputs for the good rows.
        logged: Every good row as the log keeps it: a JSON array without its brackets.
    """

    block: Block
    places: npt.NDArray[np.intp]
    errors: Mapping[int, str]
    broken: Mapping[int, str]
    tensors: Tensors
    logged: Texts


class _Column(NamedTuple):
    """One input's values.

    Attributes:
        tensor: Shape (rows,), for the graph.
        good: Which rows keep the contract.
        logged: What the log keeps, as JSON or as numbers that JSON may not know; None where it keeps nothing.
        doubles: Those numbers.
    """

    tensor: npt.NDArray[Any]
    good: Mask
    logged: Texts | None = None
    doubles: pa.DoubleArray | None = None


@dataclass(frozen=True)
class _Input:
    """One input and where it stands.

    Attributes:
        column: Of the upload; None where it has none of that name.
        take: What the log keeps of a value, where that is not the value.
        kept: Whether the log keeps anything.
    """

    given: Input
    field: Field
    column: str | None
    take: Take | None
    kept: bool


class Table:
    """Reads the blocks of one upload.

    Args:
        bundle: The release that answers it.
        names: Of the upload's columns.
        redaction: What the log keeps.
    """

    def __init__(self, bundle: Bundle, names: Sequence[str], redaction: Redaction) -> None:
        contract, schema = bundle.contract, bundle.schema
        self._reader = Reader(contract, schema, names)
        self._width = len(names)
        # Arrow's names are our own: a caller's may be anything.
        columns = {name: str(place) for place, name in enumerate(names)}
        takes = dict(redaction.takes)
        self._inputs = [
            _Input(given, field, columns.get(given.name), takes.get(place), place in takes)
            for place, (given, field) in enumerate(zip(contract.inputs, schema.fields, strict=True))
        ]
        plain = [given for given in self._inputs if given.kept and not given.take and given.given.type == "number"]
        others = [given for given in self._inputs if given.kept and given not in plain]
        #: What the log keeps of each row, in its order.
        self.logged = [given.field.name for given in (*plain, *others)]
        used = [given.column for given in self._inputs if given.column is not None]
        self._convert = csv.ConvertOptions(
            column_types=dict.fromkeys(used, pa.string()),
            include_columns=used or ["0"],
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        )

    def read(self, block: Block) -> Checked:
        """Check a block's rows."""
        errors = {place: f"the row {told}" for place, told in block.faults.items()}
        if not block.data.isascii() or b"\0" in block.data:
            errors |= self._illegible(block)
        texts, places = self._cells(block, errors)
        broken = {place: self._mended(block.row(place)) for place in errors}
        columns = [_column(given, _texts(given, texts, len(places))) for given in self._inputs]
        good = np.ones(len(places), np.bool_)
        for column in columns:
            good &= column.good
        for place in places[~good].tolist():
            errors[place] = self._reader.row(block.row(place))[1] or "the row cannot be read"
        whole = bool(good.all())
        tensors = {
            given.field.name: (column.tensor if whole else column.tensor[good]).reshape(-1, 1)
            for given, column in zip(self._inputs, columns, strict=True)
        }
        logged = _arrays(columns, len(places))
        return Checked(block, places[good], errors, broken, tensors, logged if whole else logged.filter(pa.array(good)))

    def _mended(self, text: bytes) -> str:
        """What could be read of a row that is none."""
        cells = self._reader.cells(text.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}"))
        return ",".join(map(quoted, (cells + [""] * self._width)[: self._width]))

    def _illegible(self, block: Block) -> dict[int, str]:
        """The rows that are no text."""
        try:
            block.data.decode("utf-8")
            if b"\0" not in block.data:
                return {}
        except UnicodeDecodeError:
            pass
        rows = ((place, self._reader.illegible(block.row(place))) for place in range(block.size))
        return {place: told for place, told in rows if told}

    def _cells(self, block: Block, errors: dict[int, str]) -> tuple[pa.Table, npt.NDArray[np.intp]]:
        """The cells of the rows that have as many as the header, and their places; the others are errors."""
        places, data = np.arange(block.size), block.data
        if errors:
            kept = np.ones(block.size, np.bool_)
            kept[list(errors)] = False
            places, data = places[kept], block.only(kept)
        if not len(places):
            return pa.table({}), places
        short: list[int] = []

        def skip(row: csv.InvalidRow) -> str:
            place = int(places[row.number - 1])
            errors[place] = self._reader.miscounted(row.actual_columns)
            short.append(row.number - 1)
            return "skip"

        names = [str(place) for place in range(self._width)]
        # Without its first line feed, which would be an empty row.
        table = csv.read_csv(
            pa.BufferReader(pa.py_buffer(data).slice(1)),
            csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            csv.ParseOptions(
                newlines_in_values=b'"' in data and data.count(b"\n") > len(places),
                ignore_empty_lines=False,
                invalid_row_handler=skip,
            ),
            self._convert,
        )
        return table, np.delete(places, short) if short else places


def _texts(given: _Input, table: pa.Table, rows: int) -> Texts:
    """An input's texts; null where there is none."""
    if given.column is None or not rows:
        return pa.nulls(rows, pa.string())
    return table.column(given.column).combine_chunks()


def _column(given: _Input, texts: Texts) -> _Column:
    read = _numbers if given.given.type in ("number", "integer") else _words
    return read(given, texts)


def _numbers(given: _Input, texts: Texts) -> _Column:
    try:
        doubles = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        texts = pc.utf8_trim(texts, BLANKS)
        written = pc.match_substring_regex(texts, f"^{NUMBER}$")
        texts = pc.if_else(written, texts, "nan")
        doubles = texts.cast(pa.float64())
    tensor = doubles.to_numpy(zero_copy_only=False)
    low, high = given.given.minimum, given.given.maximum
    # What is not a number is not within any range.
    good = (tensor >= (-math.inf if low is None else low)) & (tensor <= (math.inf if high is None else high))
    if low is None or high is None:
        good &= np.isfinite(tensor)
    whole = given.given.type == "integer"
    if whole:
        good &= np.floor(tensor) == tensor
    if doubles.null_count and given.field.missing:
        good |= doubles.is_null().to_numpy(zero_copy_only=False)
    if not given.kept:
        return _Column(tensor, good)
    if given.take:
        return _Column(tensor, good, _json(given.take(value) for value in _values(given.field, tensor, good)))
    return _Column(tensor, good, _whole(tensor, good)) if whole else _Column(tensor, good, texts, doubles)


def _values(field: Field, tensor: npt.NDArray[np.float64], good: Mask) -> Iterator[Value]:
    """Numbers as the log knows them; None for what is missing or no number."""
    for value, known in zip(tensor.tolist(), (good & ~np.isnan(tensor)).tolist(), strict=True):
        yield field.settle(value) if known else None


def _whole(tensor: npt.NDArray[np.float64], good: Mask) -> Texts:
    """Whole numbers as JSON; those that doubles do not hold exactly have a point, as in every entry of the log."""
    exact = good & (np.abs(tensor) <= EXACT)
    whole = pa.array(np.where(exact, tensor, 0).astype(np.int64), mask=~exact).cast(pa.string())
    return pc.coalesce(whole, pa.array(tensor, mask=~good | np.isnan(tensor)).cast(pa.string()))


def _words(given: _Input, texts: Texts) -> _Column:
    """Booleans and categories: every distinct text is looked at once."""
    coded = texts.dictionary_encode()
    field, kind = given.field, given.given.type
    values: list[Value] = [meant(text, kind) for text in coded.dictionary.to_pylist()]
    keeps = [field.fault(value) is None for value in values]
    # The last stands for what is missing.
    codes = coded.indices.fill_null(len(values)).to_numpy()
    shown = [value if good else None for value, good in zip(values, keeps, strict=True)] + [None]
    tensor = field.tensor(shown).reshape(-1)[codes]
    good = np.array([*keeps, field.missing], np.bool_)[codes]
    if not given.kept:
        return _Column(tensor, good)
    logged = _json(map(given.take, shown) if given.take else shown)
    return _Column(tensor, good, logged.take(pa.array(codes)))


def _json(values: Iterable[Value]) -> Texts:
    return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())


def _arrays(columns: Sequence[_Column], rows: int) -> Texts:
    """The rows of some columns as JSON: the numbers first."""
    parts = [_known(column.logged, column.doubles) for column in columns if column.doubles is not None]
    parts += [column.logged for column in columns if column.logged is not None and column.doubles is None]
    if not parts:
        return pa.array([""] * rows, pa.string())
    return pc.binary_join_element_wise(*parts, ",", null_handling="replace", null_replacement="null")


def _known(texts: Texts, doubles: pa.DoubleArray) -> Texts:
    """Numbers as they were written, or all of them anew where JSON may not know one: 007, .5, 5., +5 or 1e999."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[: len(texts) + 1]
    held = bounds[:-1] < bounds[1:]
    begins, ends = bounds[:-1][held], bounds[1:][held]
    if not len(begins):
        return texts
    text = np.frombuffer(data, np.uint8)[: bounds[-1]]
    # What the graph took for 0, or for infinity, a database does not read: no exponents, and not too many digits.
    if text.max() > _NINE or (ends - begins).max() > _LONGEST or text[ends - 1].min() < _ZERO:
        return doubles.cast(pa.string())
    odd = text[begins] < _ONE
    begins, ends = begins[odd], ends[odd]
    begins += text[begins] == _MINUS
    point = text[begins] < _ZERO
    zero = (text[begins] == _ZERO) & (begins + 1 < ends) & (text[np.minimum(begins + 1, ends - 1)] >= _ZERO)
    return doubles.cast(pa.string()) if (point | zero).any() else texts
