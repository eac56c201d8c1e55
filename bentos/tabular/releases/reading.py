"""Reading: a JSON text as a document, and what is wrong with one, told by its path.

Names that occur twice are remembered, which JSON itself forgets.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from tabular.problem import MOST_FAULTS, Fault, ProblemError

#: Longer texts are cut where they are quoted.
QUOTED = 80


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


def listed(document: Any, name: str, most: int, faults: list[Fault]) -> Sequence[Any]:
    """The list that a document is to hold, and nothing else.

    Args:
        document: As it was parsed.
        name: Of the list.
        most: How long it may be.
        faults: Gets what is wrong.

    Raises:
        ProblemError: It is longer.
    """
    if not isinstance(document, dict):
        faults.append(Fault("body", "is not an object", quote(document), f'{{"{name}": [...]}}'))
        return ()
    faults.extend(repetitions(document, ""))
    faults.extend(strangers("", document, (name,), "is not known"))
    allowed = f"a list of 1 to {most} objects"
    if name not in document:
        faults.append(Fault(name, "is missing", None, allowed))
        return ()
    given = document[name]
    if not isinstance(given, list):
        faults.append(Fault(name, "is not a list", quote(given), allowed))
        return ()
    if not given:
        faults.append(Fault(name, "is empty", None, allowed))
    if len(given) > most:
        detail = f"{len(given)} {name}; one request may hold {most}"
        raise ProblemError(413, f"too-many-{name}", detail, [Fault(name, "is too long", None, allowed)])
    return given


def strangers(path: str, content: Mapping[str, Any], known: Sequence[str], message: str) -> Iterable[Fault]:
    """The faults of names that are none of those that are known.

    Args:
        path: Of the object.
        content: The object.
        known: What may stand there.
        message: What a name that may not is told.
    """
    for name in [name for name in content if name not in known][:MOST_FAULTS]:
        yield Fault(step(path, name), message, quote(content[name]), resembling(name, known))


def resembling(name: str, known: Sequence[str]) -> str:
    """What somebody may have meant by a name; what there is, where nothing is like it."""
    near = get_close_matches(name[:QUOTED], known, n=1)
    return f"did you mean {near[0]}?" if near else f"one of: {', '.join(sorted(known))}"


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
