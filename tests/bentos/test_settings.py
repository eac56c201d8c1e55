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
        ("SLUICE_ACCESS", "closed"),
        ("SLUICE_RATE", "-1"),
        ("SLUICE_BURST", "0"),
        ("SLUICE_HSTS", "-1"),
        ("SLUICE_CORS_ORIGINS", "app.example.com"),
        ("SLUICE_CORS_ORIGINS", "https://app.example.com/"),
        ("SLUICE_CORS_ORIGINS", "https://*.example.com"),
        ("SLUICE_CORS_ORIGINS", "https://app.example.com,,"),
        ("SLUICE_CORS_ORIGINS", "https://app.example.com, *"),
        ("SLUICE_PUSHGATEWAY", "gateway:9091"),
        ("SLUICE_PUSHGATEWAY", "https://somebody:secret@gateway"),
        ("SLUICE_PUSHGATEWAY_PASSWORD", "of-nobody"),
        ("SLUICE_PUSH_SECONDS", "0"),
    ],
)
def test_a_mistake_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings.read({name: value})


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://app.example.com", ("https://app.example.com",)),
        (" https://App.example.com , http://localhost:5173", ("https://app.example.com", "http://localhost:5173")),
    ],
)
def test_sites_are_listed_with_commas(text: str, origins: tuple[str, ...]) -> None:
    assert settings.read({"SLUICE_CORS_ORIGINS": text}).cors_origins == origins


def test_the_gateways_password_is_read_and_not_shown() -> None:
    found = settings.read({"SLUICE_PUSHGATEWAY_USER": "somebody", "SLUICE_PUSHGATEWAY_PASSWORD": "only-for-tests"})
    assert found.pushgateway_password.get_secret_value() == "only-for-tests"
    assert "only-for-tests" not in repr(found)
