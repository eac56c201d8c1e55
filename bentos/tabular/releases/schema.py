"""What a request must be like, made from the contract: checks every field, then builds the graph's inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from tabular.problem import MOST_FAULTS, Fault
from tabular.releases.contract import Contract, Value
from tabular.releases.decoder import Decoder
from tabular.releases.fields import fields
from tabular.releases.reading import listed, parse, quote, refuse, repetitions, step, strangers
from tabular.releases.sizes import sizes

#: The values of one instance, in the order of the contract's inputs; None where missing.
Row = Sequence[Value]

_ABSENT = object()


class Schema:
    """The inputs of one contract.

    Args:
        contract: Names, types, ranges, categories and policies.

    Attributes:
        sizes: Of bodies that keep it.
    """

    def __init__(self, contract: Contract) -> None:
        self.fields = fields(contract)
        self.sizes = sizes(contract)
        self._decoder = Decoder(contract)
        self._limits = contract.limits
        self.names = [field.name for field in self.fields]
        self._known = set(self.names)

    def instances(self, body: bytes) -> Sequence[Row]:
        """The rows of `{"instances": [...]}`, at least one.

        Raises:
            ProblemError: The body is not JSON, or breaks the contract; it lists every fault, up to `MOST_FAULTS`.
        """
        rows = self._decoder.instances(body)
        return self.check(parse(body)) if rows is None else rows

    def instance(self, body: bytes) -> Sequence[Row]:
        """The one row of a flat object.

        Raises:
            ProblemError: As `instances` does.
        """
        rows = self._decoder.instance(body)
        if rows is not None:
            return rows
        faults: list[Fault] = []
        row = self.row("", parse(body), faults)
        refuse(faults)
        return [row]

    def check(self, document: Any) -> Sequence[Row]:
        """The rows of a parsed `{"instances": [...]}`.

        Raises:
            ProblemError: It breaks the contract.
        """
        faults: list[Fault] = []
        rows: list[Row] = []
        for index, instance in enumerate(listed(document, "instances", self._limits.max_instances, faults)):
            rows.append(self.row(f"instances[{index}]", instance, faults))
            if len(faults) >= MOST_FAULTS:
                break
        refuse(faults)
        return rows

    def rows(self, instances: Iterable[Mapping[str, Value]]) -> list[Row]:
        """The rows of instances that are known to be good, such as golden ones."""
        return [[instance.get(field.name) for field in self.fields] for instance in instances]

    def tensors(self, rows: Sequence[Row]) -> dict[str, npt.NDArray[Any]]:
        """The graph's inputs.

        Args:
            rows: Checked rows.

        Returns:
            One array of shape (rows, 1) per input: text with "" for missing, or doubles with NaN for missing.
        """
        columns = zip(self.fields, zip(*rows, strict=True), strict=True)
        return {field.name: field.tensor(column) for field, column in columns}

    def row(self, path: str, instance: Any, faults: list[Fault]) -> Row:
        """One instance's values; what is wrong with it is added to the faults.

        Args:
            path: Where the instance stands; empty where it is the body.
            instance: The parsed instance.
            faults: Where there is one, the row is no use.
        """
        if not isinstance(instance, dict):
            faults.append(
                Fault(path or "body", "is not an object", quote(instance), "an object with a value for each input")
            )
            return ()
        faults.extend(repetitions(instance, path))
        if self._limits.unknown_fields == "reject" and not instance.keys() <= self._known:
            faults.extend(strangers(path, instance, self.names, "is not an input of this model"))
        row: list[Value] = []
        for field in self.fields:
            value = instance.get(field.name, _ABSENT)
            if value is None or value is _ABSENT:
                if not field.missing:
                    message = "is null" if value is None else "is missing"
                    faults.append(Fault(step(path, field.name), message, None, field.allowed))
                value = None
            elif message := field.fault(value):  # type: ignore[assignment]
                faults.append(Fault(step(path, field.name), message, quote(value), field.allowed))
            else:
                value = field.settle(value)
            row.append(value)
        return row
