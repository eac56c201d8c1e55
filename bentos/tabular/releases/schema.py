"""What a request must be like, made from the contract: checks every field, then builds the graph's inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy.typing as npt

from tabular.problem import MOST_FAULTS, Fault, ProblemError
from tabular.releases.contract import Contract, Value
from tabular.releases.decoder import Decoder
from tabular.releases.fields import fields
from tabular.releases.reading import Repeated, parse
from tabular.releases.sizes import sizes

#: Longer texts are cut where they are quoted.
QUOTED = 80

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
        for index, instance in enumerate(self._instances(document, faults)):
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

    def _instances(self, document: Any, faults: list[Fault]) -> Sequence[Any]:
        if not isinstance(document, dict):
            faults.append(Fault("body", "is not an object", quote(document), '{"instances": [...]}'))
            return ()
        faults.extend(repetitions(document, ""))
        strangers = sorted(document.keys() - {"instances"})[:MOST_FAULTS]
        faults.extend(Fault(step("", n), "is not known", quote(document[n]), "instances") for n in strangers)
        instances = document.get("instances", _ABSENT)
        allowed = f"a list of 1 to {self._limits.max_instances} objects"
        if instances is _ABSENT:
            faults.append(Fault("instances", "is missing", None, allowed))
            return ()
        if not isinstance(instances, list):
            faults.append(Fault("instances", "is not a list", quote(instances), allowed))
            return ()
        if not instances:
            faults.append(Fault("instances", "is empty", None, allowed))
        if len(instances) > self._limits.max_instances:
            detail = f"{len(instances)} instances; one request may hold {self._limits.max_instances}"
            raise ProblemError(413, "too-many-instances", detail, [Fault("instances", "is too long", None, allowed)])
        return instances

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
            faults.extend(self._strangers(path, instance))
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

    def _strangers(self, path: str, instance: Mapping[str, Any]) -> Iterable[Fault]:
        for name in [name for name in instance if name not in self._known][:MOST_FAULTS]:
            near = get_close_matches(name[:QUOTED], self._known, n=1)
            allowed = f"did you mean {near[0]}?" if near else f"the inputs: {', '.join(sorted(self._known))}"
            yield Fault(step(path, name), "is not an input of this model", quote(instance[name]), allowed)


def refuse(faults: Sequence[Fault]) -> None:
    """Raise the problem that lists some faults, if there are any."""
    if faults:
        number = f"{len(faults)}" if len(faults) < MOST_FAULTS else f"at least {MOST_FAULTS}"
        detail = f"{faults[0].path} {faults[0].message} (faults in all: {number})"
        raise ProblemError(422, "contract", detail, faults[:MOST_FAULTS])


def repetitions(content: Mapping[str, Any], path: str) -> Iterable[Fault]:
    """The faults of names that occur more than once in an object."""
    if isinstance(content, Repeated):
        for name in content.names[:MOST_FAULTS]:
            yield Fault(step(path, name), "occurs more than once", None, "each name once")


def step(path: str, name: str) -> str:
    """The path of a field; a name that would break the path is quoted."""
    if name.isidentifier() and name.isascii() and len(name) <= QUOTED:
        return f"{path}.{name}" if path else name
    return f"{path}[{json.dumps(name[:QUOTED])}]"


def quote(value: Any) -> Any:
    """A value as it may be shown: short, and writable as JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if len(value) <= QUOTED else f"{value[:QUOTED]}..."
    if isinstance(value, int):
        return value if abs(value) < 2**53 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return f"a list of {len(value)}" if isinstance(value, list) else f"an object of {len(value)}"
