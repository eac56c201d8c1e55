"""What a request must be like, made from the contract: checks every field, then builds the graph's inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from tabular.contract import Contract, Input, Limits, Value
from tabular.problem import Fault, ProblemError

#: More faults than this are not listed: a large body could hold millions.
MOST_FAULTS = 200
#: Longer category values are refused, whatever the policy on unseen ones.
MOST_CHARACTERS = 200
#: Longer texts are cut where they are quoted.
QUOTED = 80

#: The values of one instance, in the order of the contract's inputs; None where missing.
Row = Sequence[Value]

_ABSENT = object()


class _Repeated(dict[str, Any]):
    """An object in which a name occurs more than once."""

    names: Sequence[str] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    seen: set[str] = set()
    repeated = _Repeated(content)
    repeated.names = sorted({name for name, _ in pairs if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    return repeated


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def parse(body: bytes) -> Any:
    """Read a JSON text.

    Raises:
        ProblemError: It is not JSON in UTF-8.
    """
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ProblemError(400, "malformed-json", f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise ProblemError(400, "malformed-json", "it is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ProblemError(400, "malformed-json", f"{error.msg} at {where}") from None
    except ValueError:
        raise ProblemError(400, "malformed-json", "a number has too many digits") from None


@dataclass(frozen=True)
class _Field:
    """One input: what it may be, in words and as a check that says what is wrong with a value."""

    name: str
    text: bool
    missing: bool
    allowed: str
    fault: Callable[[Any], str | None]


class Schema:
    """The inputs of one contract.

    Args:
        contract: Names, types, ranges, categories and policies.
    """

    def __init__(self, contract: Contract) -> None:
        self.fields = tuple(_field(given, contract.limits) for given in contract.inputs)
        self._limits = contract.limits
        self._names = {field.name for field in self.fields}

    def check(self, document: Any) -> list[Row]:
        """The rows of a request.

        Args:
            document: The parsed body.

        Returns:
            One row per instance, in the request's order.

        Raises:
            ProblemError: The request breaks the contract; it lists every fault, up to `MOST_FAULTS`.
        """
        faults: list[Fault] = []
        rows: list[Row] = []
        for index, instance in enumerate(self._instances(document, faults)):
            rows.append(self._row(f"instances[{index}]", instance, faults))
            if len(faults) >= MOST_FAULTS:
                break
        if faults:
            number = f"{len(faults)}" if len(faults) < MOST_FAULTS else f"at least {MOST_FAULTS}"
            detail = f"{faults[0].path} {faults[0].message} (faults in all: {number})"
            raise ProblemError(422, "contract", detail, faults[:MOST_FAULTS])
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
        return {field.name: _texts(column) if field.text else _doubles(column) for field, column in columns}

    def _instances(self, document: Any, faults: list[Fault]) -> Sequence[Any]:
        if not isinstance(document, dict):
            faults.append(Fault("body", "is not an object", _quote(document), '{"instances": [...]}'))
            return ()
        faults.extend(_repetitions(document, ""))
        strangers = sorted(document.keys() - {"instances"})[:MOST_FAULTS]
        faults.extend(Fault(_step("", n), "is not known", _quote(document[n]), "instances") for n in strangers)
        instances = document.get("instances", _ABSENT)
        allowed = f"a list of 1 to {self._limits.max_instances} objects"
        if instances is _ABSENT:
            faults.append(Fault("instances", "is missing", None, allowed))
            return ()
        if not isinstance(instances, list):
            faults.append(Fault("instances", "is not a list", _quote(instances), allowed))
            return ()
        if not instances:
            faults.append(Fault("instances", "is empty", None, allowed))
        if len(instances) > self._limits.max_instances:
            detail = f"{len(instances)} instances; one request may hold {self._limits.max_instances}"
            raise ProblemError(413, "too-many-instances", detail, [Fault("instances", "is too long", None, allowed)])
        return instances

    def _row(self, path: str, instance: Any, faults: list[Fault]) -> Row:
        if not isinstance(instance, dict):
            faults.append(Fault(path, "is not an object", _quote(instance), "an object with a value for each input"))
            return ()
        faults.extend(_repetitions(instance, path))
        if self._limits.unknown_fields == "reject" and not instance.keys() <= self._names:
            faults.extend(self._strangers(path, instance))
        row: list[Value] = []
        for field in self.fields:
            value = instance.get(field.name, _ABSENT)
            if value is None or value is _ABSENT:
                if not field.missing:
                    message = "is null" if value is None else "is missing"
                    faults.append(Fault(_step(path, field.name), message, None, field.allowed))
                value = None
            elif message := field.fault(value):  # type: ignore[assignment]
                faults.append(Fault(_step(path, field.name), message, _quote(value), field.allowed))
            row.append(value)
        return row

    def _strangers(self, path: str, instance: Mapping[str, Any]) -> Iterable[Fault]:
        for name in [name for name in instance if name not in self._names][:MOST_FAULTS]:
            near = get_close_matches(name[:QUOTED], self._names, n=1)
            allowed = f"did you mean {near[0]}?" if near else f"the inputs: {', '.join(sorted(self._names))}"
            yield Fault(_step(path, name), "is not an input of this model", _quote(instance[name]), allowed)


def _texts(column: Sequence[Value]) -> npt.NDArray[Any]:
    return np.array(["" if value is None else value for value in column], dtype=object).reshape(-1, 1)


def _doubles(column: Sequence[Value]) -> npt.NDArray[Any]:
    return np.array([math.nan if value is None else value for value in column], dtype=np.float64).reshape(-1, 1)


def _field(given: Input, limits: Limits) -> _Field:
    missing = given.nullable and limits.missing == "impute"
    check, allowed = _CHECKS[given.type](given, limits)
    return _Field(
        name=given.name,
        text=given.type == "category",
        missing=missing,
        allowed=f"{allowed}{f', in {given.unit}' if given.unit else ''}{', or null' if missing else ''}",
        fault=check,
    )


def _number(given: Input, _: Limits) -> tuple[Callable[[Any], str | None], str]:
    low = -math.inf if given.minimum is None else given.minimum
    high = math.inf if given.maximum is None else given.maximum
    whole = given.type == "integer"

    def fault(value: Any) -> str | None:
        # A boolean is an int in Python, and no number in JSON.
        if type(value) is not float and type(value) is not int:
            return "is not a number"
        try:
            number = float(value)
        except OverflowError:
            return "is not a finite number"
        if not math.isfinite(number):
            return "is not a finite number"
        if whole and not number.is_integer():
            return "is not a whole number"
        return None if low <= number <= high else "is out of range"

    bounds = {
        (True, True): f" from {low:.15g} to {high:.15g}",
        (True, False): f" of at least {low:.15g}",
        (False, True): f" of at most {high:.15g}",
        (False, False): "",
    }[given.minimum is not None, given.maximum is not None]
    return fault, f"a {'whole' if whole else 'finite'} number{bounds}"


def _boolean(_: Input, __: Limits) -> tuple[Callable[[Any], str | None], str]:
    return lambda value: None if isinstance(value, bool) else "is not a boolean", "true or false"


def _category(given: Input, limits: Limits) -> tuple[Callable[[Any], str | None], str]:
    known = frozenset(given.categories or ())
    closed = given.categories is not None and limits.unseen_category == "reject"

    def fault(value: Any) -> str | None:
        if type(value) is not str:
            return "is not text"
        if value in known:
            return None
        if closed:
            return "is not one of the categories"
        # Text that a database or a graph cannot hold, or that means "missing" to the graph.
        if not value or not value.isprintable() or len(value) > MOST_CHARACTERS:
            return f"is not printable text of 1 to {MOST_CHARACTERS} characters"
        return None

    listed = ", ".join((given.categories or ())[:20]) + (", ..." if len(known) > 20 else "")
    return fault, f"one of: {listed}" if closed else f"text of 1 to {MOST_CHARACTERS} characters"


_CHECKS: Mapping[str, Callable[[Input, Limits], tuple[Callable[[Any], str | None], str]]] = {
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
    "category": _category,
}


def _repetitions(content: Mapping[str, Any], path: str) -> Iterable[Fault]:
    if isinstance(content, _Repeated):
        for name in content.names[:MOST_FAULTS]:
            yield Fault(_step(path, name), "occurs more than once", None, "each name once")


def _step(path: str, name: str) -> str:
    """The path of a field; a name that would break the path is quoted."""
    if name.isidentifier() and name.isascii() and len(name) <= QUOTED:
        return f"{path}.{name}" if path else name
    return f"{path}[{json.dumps(name[:QUOTED])}]"


def _quote(value: Any) -> Any:
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
