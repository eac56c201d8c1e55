"""The registry: versions, aliases and bundles, on a real MLflow server."""

import socket
from pathlib import Path
from typing import Any

import pytest

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.domain.errors import StateError, TransientError
from tests.bentos.servers import Mlflow
from tests.unit.conftest import MakeBundle

MODEL = "tracked"


@pytest.fixture(scope="module")
def tracking(registry: Mlflow) -> Tracking:
    return Tracking(registry.url)


@pytest.fixture(scope="module")
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(2.0)


@pytest.fixture(scope="module")
def run_id(tracking: Tracking, bundle: Bundle) -> str:
    run = tracking.client.create_run("0")
    tracking.client.log_artifacts(run.info.run_id, str(bundle.folder), BUNDLE_PATH)
    return str(run.info.run_id)


def test_a_run_is_registered_once(tracking: Tracking, run_id: str, bundle: Bundle) -> None:
    tags = {"bundle_sha256": bundle.sha256}

    first = tracking.register(MODEL, run_id, tags, "A line.")
    second = tracking.register(MODEL, run_id, tags, "A line.")

    assert first == second
    assert first.number == 1
    assert tracking.version(MODEL, 1).tags == tags


def test_an_alias_names_a_version_or_nothing(tracking: Tracking, run_id: str) -> None:
    tracking.register(MODEL, run_id, {}, "")
    assert tracking.aliased(MODEL, "champion") is None
    assert tracking.aliased("never_registered", "champion") is None

    tracking.point(MODEL, "champion", 1)

    champion = tracking.aliased(MODEL, "champion")
    assert champion is not None
    assert champion.number == 1


def test_a_bundle_arrives_as_it_was_written(tracking: Tracking, run_id: str, bundle: Bundle, tmp_path: Path) -> None:
    version = tracking.register(MODEL, run_id, {}, "")

    assert bundles.read(tracking.download_bundle(version, tmp_path)).sha256 == bundle.sha256


def test_a_version_that_is_not_there_is_said(tracking: Tracking, run_id: str) -> None:
    tracking.register(MODEL, run_id, {}, "")

    with pytest.raises(StateError, match="no version 99"):
        tracking.version(MODEL, 99)


@pytest.mark.parametrize("alias", ["no such alias", "a" * 300], ids=["malformed", "too-long"])
def test_a_refusal_is_no_word_on_the_champion(tracking: Tracking, run_id: str, alias: Any) -> None:
    tracking.register(MODEL, run_id, {}, "")

    with pytest.raises(StateError, match="refuses"):
        tracking.aliased(MODEL, alias)


def test_a_server_that_does_not_answer_may_answer_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"

    with pytest.raises(TransientError, match="does not answer"):
        Tracking(nowhere).aliased(MODEL, "champion")
