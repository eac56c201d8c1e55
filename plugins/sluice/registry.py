"""The registry: finds the use cases and says what is wrong with the broken ones.

`python -m sluice.registry` prints one line per use case and exits with 1 when any is broken.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from sluice.domain.errors import SpecError
from sluice.domain.use_case import UseCase

SPEC_FILE = "use_case.yaml"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registry:
    """The use cases of a folder, and the errors of those that cannot be used."""

    use_cases: tuple[UseCase, ...]
    broken: tuple[SpecError, ...]

    def get(self, name: str) -> UseCase:
        """The use case of that name.

        Raises:
            SpecError: There is none, or its spec is broken.
        """
        for use_case in self.use_cases:
            if use_case.name == name:
                return use_case
        for error in self.broken:
            if Path(error.where.split(":")[0]).parent.name == name:
                raise error
        known = ", ".join(u.name for u in self.use_cases) or "none"
        raise SpecError(f"there is no use case {name!r}", action=f"use one of: {known}")


def find(folder: Path) -> Registry:
    """Read every spec under a folder; a broken one never hides the others.

    Args:
        folder: Holds one sub-folder per use case, each with a `use_case.yaml`.
    """
    good: list[UseCase] = []
    broken: list[SpecError] = []
    for path in sorted(folder.glob(f"*/{SPEC_FILE}")):
        try:
            good.append(read(path))
        except SpecError as error:
            log.error("%s", error)
            broken.append(error)
    return Registry(tuple(good), tuple(broken))


def one(folder: Path, name: str) -> UseCase:
    """The use case of that name; no other spec is read where there is one of it.

    Args:
        folder: Holds one sub-folder per use case.
        name: The use case's.

    Raises:
        SpecError: There is none, or its spec is broken.
    """
    known = next((path for path in folder.glob(f"*/{SPEC_FILE}") if path.parent.name == name), None)
    return read(known) if known else find(folder).get(name)


def read(path: Path) -> UseCase:
    """Read one spec.

    Raises:
        SpecError: The file cannot be read or breaks a rule; says the line, the rule and the next step.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # Parsed once: that is most of what reading takes, and every parsing of a DAG file reads every spec.
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if repeated := _repeated_key(node):
            where = f"{path}:{repeated.start_mark.line + 1}"
            raise SpecError(f"the key {repeated.value!r} is there twice", where, "keep one of the two")
        document = loader.construct_document(node) if node else None
        # As JSON, because a strict model takes a JSON list for a tuple and nothing else by guessing.
        written = json.dumps(document, default=str)
    # YAML can also say what is no value (a month 13), what is no JSON (a date as a key) and what has no end.
    except (OSError, yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise SpecError(f"the spec cannot be read: {error}", str(path), "correct the YAML") from error
    if not isinstance(document, dict):
        raise SpecError("the spec is not a mapping", str(path), "start from another use case's spec")
    try:
        use_case = UseCase.model_validate_json(written)
    except ValidationError as error:
        raise _spec_error(path, node, error) from error
    if use_case.name != path.parent.name:
        raise SpecError(
            f"the spec is named {use_case.name!r} but its folder {path.parent.name!r}",
            f"{path}:{line_of(node, ('name',))}",
            "rename one of the two",
        )
    return use_case


def _repeated_key(node: yaml.Node | None) -> yaml.Node | None:
    """The first key that a mapping holds a second time; YAML itself would take the last."""
    if isinstance(node, yaml.SequenceNode):
        return next((found for child in node.value if (found := _repeated_key(child))), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        # A key may be a list or a mapping too, which is refused for that.
        name = str(key.value)
        if name in seen:
            return cast("yaml.Node", key)
        seen.add(name)
        if found := _repeated_key(value):
            return found
    return None


def _spec_error(path: Path, node: yaml.Node | None, error: ValidationError) -> SpecError:
    rows = error.errors(include_url=False)
    parts = [f"{'.'.join(map(str, row['loc'])) or 'spec'}: {row['msg'].removeprefix('Value error, ')}" for row in rows]
    line = line_of(node, rows[0]["loc"] or _named(rows[0]["msg"]))
    return SpecError(
        "; ".join(parts), f"{path}:{line}", "correct it; editors complete the file by include/use_cases/schema.json"
    )


def _named(message: str) -> tuple[str, ...]:
    """The place that a rule about several fields begins its message with, such as `gate.slices`; the target's own."""
    words = message.removeprefix("Value error, ").replace(":", " ").split()
    return tuple(words[0].strip("`").split(".")) if words else ()


def line_of(node: yaml.Node | None, location: tuple[Any, ...]) -> int:
    """The line of the deepest part of a location that the file has."""
    if node is None:
        return 1
    line = node.start_mark.line + 1
    for part in location:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            child = next((v for k, v in node.value if k.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
        if child is None:
            continue
        node, line = child, child.start_mark.line + 1
    return line


def main() -> int:
    """Report on every use case; 1 when any is broken."""
    from sluice.settings import settings

    log.addHandler(logging.NullHandler())  # the errors are printed below
    registry = find(settings().use_cases)
    for use_case in registry.use_cases:
        print(f"ok      {use_case.name}: {use_case.title}")
    for error in registry.broken:
        print(f"broken  {error}", file=sys.stderr)
    if not registry.use_cases and not registry.broken:
        print(f"no use case under {settings().use_cases}", file=sys.stderr)
        return 1
    return 1 if registry.broken else 0


if __name__ == "__main__":
    sys.exit(main())
