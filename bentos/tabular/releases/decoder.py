"""The decoder: the short way from a body to rows, for what is clearly in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.json import Decoder as JsonDecoder
from msgspec.structs import astuple

from tabular.errors import BundleError
from tabular.releases.contract import Contract, Input, Limits, Value
from tabular.releases.fields import EXACT, MOST_CHARACTERS

#: Text without any character that needs a closer look.
PLAIN = rf"\A[ -~]{{1,{MOST_CHARACTERS}}}\Z"


class Decoder:
    """Reads and checks in one pass; what it gives back keeps the contract, what it does not may still do so.

    It takes an instance only if every input is there, once, with a value of its very type. A name that occurs twice
    shows in the number of colons: with every input there, each further one is a repetition, or stands in a text.

    Args:
        contract: Names, types, ranges, categories and policies.

    Raises:
        BundleError: An input's name has quotes, backslashes or control characters.
    """

    def __init__(self, contract: Contract) -> None:
        names = {f"f{place}": given.name for place, given in enumerate(contract.inputs)}
        kinds = [(key, _kind(given, contract.limits)) for key, given in zip(names, contract.inputs, strict=True)]
        try:
            instance = msgspec.defstruct("Instance", kinds, rename=names, forbid_unknown_fields=True, gc=False)
        except ValueError as error:
            raise BundleError(f"contract.json has an input with an odd name: {error}") from None
        # The library makes types of values, which is nothing that can be checked beforehand.
        many: Any = Annotated[list[instance], Meta(min_length=1, max_length=contract.limits.max_instances)]  # type: ignore[valid-type]
        request = msgspec.defstruct("Request", [("instances", many)], forbid_unknown_fields=True, gc=False)
        self._request = JsonDecoder(request)
        self._instance = JsonDecoder(instance)
        self._inputs = len(kinds)

    def instances(self, body: bytes) -> Sequence[tuple[Value, ...]] | None:
        """The rows of `{"instances": [...]}`, or None where it is not clear that it keeps the contract."""
        try:
            given: Any = self._request.decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        if body.count(b":") != len(given.instances) * self._inputs + 1:
            return None
        return list(map(astuple, given.instances))

    def instance(self, body: bytes) -> Sequence[tuple[Value, ...]] | None:
        """The one row of a flat object, or None where it is not clear that it keeps the contract."""
        try:
            given: Any = self._instance.decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        return [astuple(given)] if body.count(b":") == self._inputs else None


def _kind(given: Input, limits: Limits) -> Any:
    """The type of an input, narrowed to what it may be."""
    kind = _KINDS[given.type](given, limits)
    return kind | None if given.nullable and limits.missing == "impute" else kind


def _number(given: Input, _: Limits) -> Any:
    return Annotated[float, Meta(ge=given.minimum, le=given.maximum)]


def _integer(given: Input, _: Limits) -> Any:
    low = -EXACT if given.minimum is None else max(math.ceil(given.minimum), -EXACT)
    high = EXACT if given.maximum is None else min(math.floor(given.maximum), EXACT)
    return Annotated[int, Meta(ge=low, le=high)]


def _boolean(_: Input, __: Limits) -> Any:
    return bool


def _category(given: Input, _: Limits) -> Any:
    """One of the known ones, or plain text where none are; what is unseen and yet let in takes the long way."""
    return Literal.__getitem__(given.categories) if given.categories else Annotated[str, Meta(pattern=PLAIN)]


_KINDS = {"number": _number, "integer": _integer, "boolean": _boolean, "category": _category}
