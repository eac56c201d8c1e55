"""Reading: a JSON text as a document, with the names that occur twice remembered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tabular.problem import ProblemError


class Repeated(dict[str, Any]):
    """An object in which a name occurs more than once."""

    names: Sequence[str] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    seen: set[str] = set()
    repeated = Repeated(content)
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
