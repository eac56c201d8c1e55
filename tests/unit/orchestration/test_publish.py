"""What serves is shown elsewhere where the settings say so; where that fails people hear of it, and it serves on."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from sluice.adapters import bundles
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import PublishError, SluiceError, TransientError
from sluice.domain.release import Release
from sluice.domain.report import Report
from sluice.domain.use_case import UseCase
from sluice.monitoring.drift import Drift
from sluice.monitoring.sampling import Sample
from sluice.monitoring.windows import Window
from sluice.orchestration import assets
from sluice.orchestration.failures import callbacks
from sluice.orchestration.publish import offer, publish_model, publish_reports, publish_run
from sluice.release.ledger import moves
from sluice.settings import settings
from tests.bentos.bundles import USE_CASE, Recipe
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow
from tests.unit.orchestration.inbox import Inbox
from tests.unit.orchestration.test_failures import Task
from tests.unit.release.publishers import disks, hubs
from tests.unit.release.publishers.hubs import KEY, Hub

NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)

#: The hub's client sends large files in a way that its own HTTP client would rather not have.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the settings and a connection name."""
    with hubs.running() as hub:
        monkeypatch.setenv("SLUICE_PUBLISH_HUGGINGFACE_REPOSITORY", "acme/{use_case}")
        monkeypatch.setenv("SLUICE_PUBLISH_HUGGINGFACE_URL", hub.url)
        monkeypatch.setenv("AIRFLOW_CONN_SLUICE_HUGGINGFACE", f"http://:{KEY}@")
        settings.cache_clear()
        yield hub


@pytest.fixture
def platform(
    registry: Mlflow, ledger: Warehouse, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """The services that the settings name."""
    folder = tmp_path_factory.mktemp("publish")
    store = ObjectStore((folder / "store").as_uri())
    monkeypatch.setenv("SLUICE_OBJECT_STORE", store.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.url)
    settings.cache_clear()
    yield Platform(ledger, Tracking(registry.url), store, folder)
    settings.cache_clear()


@pytest.fixture
def champion(platform: Platform) -> Release:
    """What serves."""
    release = platform.publish(*platform.register(Recipe()))
    platform.tracking.unpoint(USE_CASE, "champion")
    platform.deploy(release)
    return release


def stands(platform: Platform, champion: Release) -> bool:
    """Whether the promotion is as it was: the alias, the ledger, and what serving falls back to."""
    alias = platform.tracking.aliased(USE_CASE, "champion")
    [move] = moves(platform.warehouse, USE_CASE, 1)
    copied = platform.store.read_bytes(f"releases/{USE_CASE}/champion.json").decode()
    return (
        alias is not None
        and alias.number == move.to_version == champion.version
        and move.action == "promote"
        and champion.bundle_sha256 in copied
    )


def told(task: str, error: SluiceError, *runs: str) -> None:
    """What Airflow does with a task of the publishing DAG that failed for good, in each of these runs."""
    [callback] = callbacks(USE_CASE, "publish", "publishing_failed").task
    for run in runs:
        callback(Task(task, f"{USE_CASE}_publish", run_id=run).context(exception=error))


def test_the_champion_is_published_with_its_files_and_once(platform: Platform, champion: Release, hub: Hub) -> None:
    first, again = (publish_model(USE_CASE) for _ in range(2))

    repository = hub.repositories[f"models/acme/{USE_CASE}"]
    assert first == again
    name = f"v{champion.version}-{champion.bundle_sha256[:12]}"
    assert [commit.message for commit in repository.commits][1:] == [name]
    assert bundles.digest(repository.commits[-1].files["manifest.json"]) == champion.bundle_sha256


def test_the_champion_is_entered_as_a_run(
    platform: Platform, champion: Release, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLUICE_PUBLISH_WANDB_PROJECT", "sluice")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("AIRFLOW_CONN_SLUICE_WANDB", f"http://:{'0' * 40}@")
    settings.cache_clear()

    assert publish_run(USE_CASE)


#: What goes wrong, in the words that are mailed.
FAULTS: dict[str, tuple[str, type[SluiceError]]] = {
    "a wrong key": (r"publish: Hugging Face refuses the key \(401\)", PublishError),
    "no key": ("publish: there is no key to Hugging Face", PublishError),
    "silence": ("transient: Hugging Face does not answer", TransientError),
    "a full disk": ("publish: there is no room to make ready what goes to Hugging Face", PublishError),
    "one place for all": ("publish: 'acme/all' is one repository for every use case", PublishError),
}


@pytest.fixture(params=FAULTS)
def fault(
    request: pytest.FixtureRequest, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[str, type[SluiceError]]]:
    """Something is wrong; what is said of it, and by which error."""
    monkeypatch.setenv("SLUICE_PUBLISH_SECONDS", "1")
    with ExitStack() as stack:
        if request.param == "a wrong key":
            monkeypatch.setenv("AIRFLOW_CONN_SLUICE_HUGGINGFACE", "http://:hf_of-somebody-else@")
        elif request.param == "no key":
            monkeypatch.delenv("AIRFLOW_CONN_SLUICE_HUGGINGFACE")
        elif request.param == "silence":
            hub.silence.clear()
        elif request.param == "a full disk":
            monkeypatch.setattr(tempfile, "tempdir", str(stack.enter_context(disks.full(tmp_path / "full"))))
        else:
            monkeypatch.setenv("SLUICE_PUBLISH_HUGGINGFACE_REPOSITORY", "acme/all")
        settings.cache_clear()
        yield FAULTS[request.param]


def test_what_keeps_it_from_being_published_is_mailed_once_and_the_promotion_stands(
    platform: Platform, champion: Release, hub: Hub, fault: tuple[str, type[SluiceError]], inbox: Inbox
) -> None:
    said, kind = fault

    with pytest.raises(kind, match=said) as failure:
        publish_model(USE_CASE)
    told("publish_model", failure.value, "today's", "tomorrow's")

    assert inbox.mail["subject"] == f"[sluice] {USE_CASE} publish not published: publish_model"
    assert re.search(said, inbox.text)
    assert "docs/operations.md#publishing_failed" in inbox.html
    assert not {KEY, "hf_of-somebody-else"} & set(re.findall(r"[\w-]+", inbox.text + inbox.html))
    assert stands(platform, champion)
    assert not hub.repositories


def test_two_publishers_that_fail_are_two_mails(champion: Release, inbox: Inbox) -> None:
    for task in ("publish_model", "publish_run"):
        told(task, PublishError("refused"), "today's")

    assert len(inbox.mails) == 2


def test_without_a_champion_there_is_nothing_to_publish(platform: Platform, hub: Hub) -> None:
    with pytest.raises(AirflowSkipException, match="nobody has no champion"):
        publish_model("nobody")


def test_a_drift_report_is_kept_to_be_published_where_the_settings_name_a_workspace(
    platform: Platform, housing: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window("validated", 1, batch_id=1)
    found = SimpleNamespace(dumps=lambda: '{"name": null}')
    drift = Drift(3, "drifted", "It moved.", window, 1, sample=Sample({}, "", cast("Any", found)))
    key = Report.of_run("housing", "drift", "run").snapshot
    events: dict[Any, Any] = {assets.drift_report(housing): SimpleNamespace(extra={})}

    offer(housing, drift, "run", NOON, events)
    assert not platform.store.exists(key)
    monkeypatch.setenv("SLUICE_PUBLISH_EVIDENTLY_URL", "http://127.0.0.1:1")
    settings.cache_clear()
    offer(housing, drift, "run", NOON, events)

    assert [event.extra for event in events.values()] == [{"snapshot": key}]
    kept = json.loads(platform.store.read_bytes(key))
    assert kept["timestamp"] == NOON.isoformat()
    assert kept["metadata"] == {"use_case": "housing", "version": "3", "verdict": "drifted", "run": "run"}


def test_a_run_that_no_report_has_started_publishes_none(platform: Platform) -> None:
    with pytest.raises(AirflowSkipException, match="no check has kept a report"):
        publish_reports("housing", triggering_asset_events={"champion": [SimpleNamespace(extra={})]})
