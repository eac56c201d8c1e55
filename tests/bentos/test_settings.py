"""The environment of the service: what must be there, what may, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabular import settings
from tabular.errors import ConfigurationError


def test_nothing_must_be_set_for_an_image_that_carries_its_bundle() -> None:
    found = settings.read({})
    assert (found.use_case, found.tracking_uri, found.warehouse_dsn) == (None, None, None)
    assert found.bundle == settings.PACKAGE.parent / "bundle"
    assert (found.poll_seconds, found.on_new_runtime, found.workers) == (1, "keep", 1)


def test_an_empty_variable_is_an_absent_one() -> None:
    assert settings.read({"SLUICE_BUNDLE": "", "SLUICE_USE_CASE": ""}) == settings.read({})


def test_values_are_read_from_text() -> None:
    given = {"SLUICE_USE_CASE": "rents", "SLUICE_POLL_SECONDS": "0.5", "SLUICE_BUNDLE": "/b", "HOME": "/root"}
    found = settings.read(given)
    assert (found.poll_seconds, found.bundle) == (0.5, Path("/b"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLUICE_POLL_SECONDS", "soon"),
        ("SLUICE_POLL_SECONDS", "0"),
        ("SLUICE_WORKERS", "0"),
        ("SLUICE_ON_NEW_RUNTIME", "restart"),
        ("SLUICE_BODY_LIMIT", "10MB"),
    ],
)
def test_a_mistake_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings.read({name: value})
