"""Sizes: how many bytes a body that keeps the contract can have, however it is written.

What is larger is refused before it is read: a parser holds up every other request of its process while it works.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from tabular.releases.contract import Contract, Input, Limits
from tabular.releases.fields import MOST_CHARACTERS

#: Of any body, whatever is in it: there are people who leave much space.
ANY = 65_536
#: Around a value or an object: colon, comma, line end, and 4 steps of 8 blanks.
SPACE = 40
#: Of a number, as any language writes a double in full.
NUMBER = 32
#: Of a character, written as two halves in hexadecimal digits.
CHARACTER = 12
#: Of what one instance may hold beside the inputs, where that is ignored.
IGNORED = 1024
#: Of a label without its value: ids, place, time, their names, and the space around them.
LABEL = 640


class Sizes(NamedTuple):
    """Most bytes of a body.

    Attributes:
        instances: Of `{"instances": [...]}`.
        instance: Of one flat object.
        labels: Of `{"labels": [...]}`.
    """

    instances: int
    instance: int
    labels: int


def sizes(contract: Contract) -> Sizes:
    """How large the bodies are that keep a contract."""
    limits = contract.limits
    instance = SPACE + sum(_input(given, limits) for given in contract.inputs)
    if limits.unknown_fields == "ignore":
        instance += IGNORED
    label = LABEL + max([NUMBER, *(_text(label.value) for label in contract.output.labels)])
    most = limits.max_instances
    return Sizes(ANY + most * instance, ANY + instance, ANY + most * label)


def _input(given: Input, limits: Limits) -> int:
    return _text(given.name) + SPACE + (_category(given, limits) if given.type == "category" else NUMBER)


def _category(given: Input, limits: Limits) -> int:
    known = max([NUMBER, *map(_text, given.categories or ())])
    closed = given.categories is not None and limits.unseen_category == "reject"
    return known if closed else max(known, 2 + CHARACTER * MOST_CHARACTERS)


def _text(text: str) -> int:
    """A text's length where everything beyond ASCII is escaped."""
    return len(json.dumps(text))
