"""Health: what is wrong with the platform that no use case's own DAG could report."""

from __future__ import annotations

from sluice import registry
from sluice.domain.errors import SpecError
from sluice.settings import settings


def check_specs() -> list[str]:
    """Read every spec, and return the names of the use cases.

    Raises:
        SpecError: Any is broken, which names each with its file and line; or there is none at all.
    """
    found = registry.find(settings().use_cases)
    if found.broken:
        raise SpecError(
            f"{len(found.broken)} of {len(found.broken) + len(found.use_cases)} use cases have no DAGs: "
            + " | ".join(str(error) for error in found.broken),
            str(settings().use_cases),
            "correct the named lines; `make check` reads the specs too",
        )
    if not found.use_cases:
        raise SpecError("there is no use case", str(settings().use_cases), "set SLUICE_USE_CASES to their folder")
    return [use_case.name for use_case in found.use_cases]
