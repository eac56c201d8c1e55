"""Fields of a DAG's form, as a command line gives them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from local.errors import StackError

#: From so many digits on a field's value is an id and no number.
MOST_DIGITS = 10


def read(arguments: Iterable[str]) -> dict[str, object]:
    """The fields with their values: true, false, null and whole numbers as such, everything else as the text it is.

    Args:
        arguments: FIELD=VALUE; several may stand in one, quoted as a shell would: `reason="a fair price"`.

    Raises:
        StackError: One is no field with a value.
    """
    return dict(_field(text) for argument in arguments for text in shlex.split(argument))


def _field(text: str) -> tuple[str, object]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise StackError(f"{text!r} is not a field with a value", action="write FIELD=VALUE, for example trials=5")
    words: dict[str, object] = {"true": True, "false": False, "null": None}
    # An id may be of digits only; a number that is meant as one is short.
    return name, words.get(value, int(value) if value.isdecimal() and len(value) < MOST_DIGITS else value)
