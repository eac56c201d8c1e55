"""The use cases that DAG files loop over."""

from __future__ import annotations

from sluice import registry
from sluice.domain.use_case import UseCase
from sluice.settings import settings


def use_cases() -> tuple[UseCase, ...]:
    """Every use case whose spec holds; the broken ones are logged, and alerted by `sluice_check`."""
    return registry.find(settings().use_cases).use_cases


def use_case(name: str) -> UseCase:
    """One use case, as its spec says now."""
    return registry.one(settings().use_cases, name)
