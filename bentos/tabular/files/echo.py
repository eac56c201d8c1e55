"""The echo: an upload's rows given back with their predictions, which go to the log as they stand there.

Imported with the first upload alone, as tables are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabular import ids
from tabular.files.blocks import MOST_ROWS
from tabular.files.cells import quoted
from tabular.files.table import Checked, Texts
from tabular.record import entries
from tabular.record.entries import Written
from tabular.releases.contract import Contract, Interval, Label
from tabular.releases.outputs import Doubles, Ends, Outputs

ID, ERROR = "prediction_id", "error"
NO_PREDICTION = "the model has no prediction for these values"


class Echoed(NamedTuple):
    """A block's answer.

    Attributes:
        content: The answer's rows, each after a line feed.
        size: How many rows have a prediction.
        faulty: How many have an error instead.
        written: What the log keeps.
        figure: The one number that stands for the last prediction; None where there is none.
    """

    content: bytes
    size: int
    faulty: int
    written: Written
    figure: float | None


class Form(Protocol):
    """How predictions are written."""

    @property
    def names(self) -> Sequence[str]:
        """Of the answer's columns."""

    def columns(self, outputs: Doubles) -> list[Texts]:
        """The answer's columns.

        Args:
            outputs: Shape (rows, width), every row usable.
        """

    def written(self, features: bytes, outputs: Doubles, columns: Sequence[Texts]) -> Written:
        """What the log keeps of some rows and their answers."""


class Numbers:
    """A number, and both ends of its interval where it has one."""

    def __init__(self, interval: Interval | None) -> None:
        self._ends = Ends.of(interval) if interval else None
        self.names = ["prediction", *(["prediction_low", "prediction_high"] if interval else [])]

    def columns(self, outputs: Doubles) -> list[Texts]:
        columns = [outputs[:, 0]]
        if self._ends:
            columns += self._ends.arrays(outputs[:, 0])
        return [_numbers(column) for column in columns]

    def written(self, features: bytes, outputs: Doubles, columns: Sequence[Texts]) -> Written:
        return Written(features, predictions=entries.numbers(outputs[:, 0], len(outputs)))


class Labels:
    """A class, what people call it, and the probability of each."""

    def __init__(self, labels: Sequence[Label]) -> None:
        values = [label.value for label in labels]
        self.names = ["prediction", "prediction_label", *(f"probability_{value}" for value in values)]
        self._values = pa.array([quoted(value) for value in values])
        self._titles = pa.array([quoted(label.title) for label in labels])
        self._elements = pa.array([entries.element(value) for value in values], pa.binary())
        # What stands before each probability in an object.
        keys = [json.dumps(value, ensure_ascii=False) for value in values]
        self._keys = [f"{',' if place else '{'}{key}:" for place, key in enumerate(keys)]

    def columns(self, outputs: Doubles) -> list[Texts]:
        chosen = _chosen(outputs)
        cut = outputs.clip(0.0, 1.0)
        return [self._values.take(chosen), self._titles.take(chosen), *(_numbers(column) for column in cut.T)]

    def written(self, features: bytes, outputs: Doubles, columns: Sequence[Texts]) -> Written:
        labels = entries.texts([_content(self._elements.take(_chosen(outputs)))], len(outputs))
        parts = [part for key, column in zip(self._keys, columns[2:], strict=True) for part in (key, column)]
        objects = pc.binary_join_element_wise(*parts, "}", "")
        return Written(features, labels=labels, probabilities=b"[" + _together(objects, ",") + b"]")


def form(contract: Contract) -> Form:
    """How the predictions of a release are written."""
    return Labels(contract.output.labels) if contract.output.labels else Numbers(contract.interval)


def header(given: Form, inputs: Sequence[str]) -> list[str]:
    """The names of the answer's own columns, none that of an input."""
    return [f"{name}_" if name in inputs else name for name in (*given.names, ID, ERROR)]


def echo(checked: Checked, outputs: Outputs, given: Form, scored: Doubles, answer_id: str) -> Echoed:
    """Give a block's rows back.

    Args:
        checked: The block as it was read.
        outputs: How the graph's outputs are read.
        given: How predictions are written.
        scored: The graph's outputs for the good rows.
        answer_id: The first prediction's id.
    """
    errors, places, logged = dict(checked.errors), checked.places, checked.logged
    usable = outputs.usable(scored)
    if not usable.all():
        errors |= dict.fromkeys(places[~usable].tolist(), NO_PREDICTION)
        places, scored, logged = places[usable], scored[usable], logged.filter(pa.array(usable))
    size = len(places)
    columns = given.columns(scored)
    named = pc.binary_join_element_wise(answer_id[: -ids.DIGITS], _endings().slice(0, size), "")
    shown = [*columns, named]
    told: Texts | str = ""
    if errors:
        rows = np.full(checked.block.size, -1, np.int64)
        rows[places] = np.arange(size)
        order = pa.array(rows, mask=rows < 0)
        shown = [column.take(order) for column in shown]
        told = pa.array([quoted(errors[place]) if place in errors else "" for place in range(checked.block.size)])
    joined = pc.binary_join_element_wise(
        _lines(checked), *shown, told, ",", null_handling="replace", null_replacement=""
    )
    return Echoed(
        _content(joined),
        size,
        len(errors),
        given.written(b"[[" + _together(logged, "],[") + b"]]", scored, columns),
        outputs.figure(outputs.answers(scored[-1:])) if size else None,
    )


def _lines(checked: Checked) -> Texts:
    """The rows as they were sent, each after a line feed; those that are none with as many cells as one has."""
    block = checked.block
    if not checked.broken:
        return pa.StringArray.from_buffers(block.size, pa.py_buffer(block.offsets), pa.py_buffer(block.data))
    whole = (checked.broken.get(place) for place in range(block.size))
    return pa.array(
        ["\n" + (block.row(place).decode() if cells is None else cells) for place, cells in enumerate(whole)]
    )


def _numbers(column: Doubles) -> Texts:
    return pa.array(column).cast(pa.string())


def _chosen(outputs: Doubles) -> pa.Array:
    """The most probable classes; the first of equals."""
    return pa.array(outputs.clip(0.0, 1.0).argmax(axis=1))


def _together(texts: Texts, between: str) -> bytes:
    """Some texts in one."""
    return _content(pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts), between))


def _content(texts: Texts) -> bytes:
    """Some texts without anything between them, as they lie in memory."""
    _, offsets, data = texts.buffers()
    end = int(np.frombuffer(offsets, np.int32)[len(texts)])
    content: bytes = data.slice(0, end).to_pybytes()
    return content


@cache
def _endings() -> Texts:
    return pa.array([ids.ending(place) for place in range(MOST_ROWS)])
