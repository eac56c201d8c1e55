"""The publishing DAG: show what serves, and how its data moves, in the services that the settings name."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, AssetAny, BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from sluice.domain.errors import PublishError
from sluice.domain.release import bento_tag
from sluice.domain.report import Report
from sluice.domain.services import EVIDENTLY, HUGGING_FACE, WANDB, Service
from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients, specs
from sluice.orchestration.bundles import downloaded
from sluice.orchestration.failures import callbacks
from sluice.orchestration.steps import common, reason, step
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.adapters.bundles import Bundle
    from sluice.monitoring.drift import Drift
    from sluice.release.publishers.publication import Publication, Publisher

DOC = """
Shows the champion, and the drift reports of its data, in services outside of the platform. Nothing here holds up,
delays or undoes a promotion: it is over when this begins.

1. `publish_model`: the release bundle, to a model repository of Hugging Face.
2. `publish_space`: its container files, to a Space of Hugging Face.
3. `publish_run`: a run of Weights & Biases, with references to the bundle's files.
4. `publish_reports`: the drift reports that checks have just kept, to a workspace of Evidently.

There are as many of these tasks as the settings `SLUICE_PUBLISH_...` name places; without any there is no such DAG.
Each publishes whatever has become of the others, and what fails is mailed. The next champion and the next day's check
start it again; what is published already is left as it is.
"""

#: Bytes that a release and its container files never need all of.
LEAST_ROOM = 64_000_000

log = logging.getLogger(__name__)


def publish_dag(use_case: UseCase) -> DAG | None:
    """The publishing DAG of a use case; None where the settings name nothing to publish to."""
    named = settings()
    places: dict[Callable[..., Any], str] = {
        publish_model: named.publish_huggingface_repository,
        publish_space: named.publish_huggingface_space,
        publish_run: named.publish_wandb_project,
        publish_reports: named.publish_evidently_url,
    }
    tasks = [task for task, place in places.items() if place]
    if not tasks:
        return None
    starters = offered(use_case)
    if tasks != [publish_reports]:
        starters.append(assets.champion(use_case))
    told = callbacks(use_case.name, "publish", "publishing_failed").task
    params = {"reason": reason("Why it was asked for.")}
    with DAG(**common(use_case, "publish", DOC, hours=2), schedule=AssetAny(*starters), params=params) as dag:
        for task in tasks:
            step(task, minutes=20, on_failure_callback=told)(use_case.name)
    return dag


def publish_model(name: str) -> str:
    """Publish the champion's bundle to its model repository."""
    from sluice.release.publishers.hub import Hub

    with _champion(name, HUGGING_FACE) as (_, _, publication):
        repository = _repository("publish_huggingface_repository", name)
        url, seconds = settings().publish_huggingface_url, settings().publish_seconds
        hub = Hub(repository, url, _key(HUGGING_FACE), "model", seconds)
        return _done(hub, publication)


def publish_space(name: str) -> str:
    """Publish the champion's container files to its Space."""
    from sluice.release import depot
    from sluice.release.publishers import space
    from sluice.release.publishers.hub import Hub

    with _champion(name, HUGGING_FACE) as (bundle, version, publication):
        # The very bento that the gate saw, whatever the serving code is by now.
        bento = depot.take(clients.store(), bento_tag(name, version, bundle.sha256), settings().bento_store)
        folder = publication.folder.with_name("space")
        space.compose(bundle, version, bento, folder)
        repository = _repository("publish_huggingface_space", name)
        url, seconds = settings().publish_huggingface_url, settings().publish_seconds
        hub = Hub(repository, url, _key(HUGGING_FACE), "space", seconds)
        return _done(hub, replace(publication, folder=folder))


def publish_run(name: str) -> str:
    """Enter the champion in the project of runs."""
    from sluice.release.publishers.runs import Runs

    with _champion(name, WANDB) as (_, _, publication):
        project, url = settings().publish_wandb_project, settings().publish_wandb_url
        seconds = settings().publish_seconds
        return _done(Runs(project, url, _key(WANDB), publication.folder.parent, seconds), publication)


def publish_reports(name: str, *, triggering_asset_events: Any) -> list[str]:
    """Publish the drift reports that started this run."""
    events = [event.extra for group in (triggering_asset_events or {}).values() for event in group]
    keys = sorted({extra["snapshot"] for extra in events if "snapshot" in extra})
    if not keys:
        raise AirflowSkipException("no check has kept a report for this run")
    return [_publish_report(name, key) for key in keys]


def offered(use_case: UseCase) -> list[Asset]:
    """What the check of the drift keeps to be published: nothing, unless the settings name a workspace."""
    return [assets.drift_report(use_case)] if settings().publish_evidently_url else []


def offer(use_case: UseCase, drift: Drift, run_id: str, moment: datetime, outlet_events: Any) -> None:
    """Keep what Evidently measured, and say where, where it is to be published.

    Args:
        use_case: Whose.
        drift: What the check found.
        run_id: The run that checked.
        moment: What the check was about; aware.
        outlet_events: Airflow's.
    """
    for asset in offered(use_case):
        if drift.sample is None:
            log.info("there was no sample to draw, so there is no report to publish")
            return
        about = {"use_case": use_case.name, "version": str(drift.version), "verdict": drift.verdict, "run": run_id}
        kept = {**json.loads(drift.sample.dumps()), "timestamp": moment.isoformat(), "metadata": about}
        key = Report.of_run(use_case.name, "drift", run_id).snapshot
        clients.store().write_bytes(key, json.dumps(kept, sort_keys=True).encode())
        outlet_events[asset].extra = {"snapshot": key}


def _publish_report(name: str, key: str) -> str:
    from sluice.release.publishers.publication import Publication
    from sluice.release.publishers.workspace import Workspace

    store, path = clients.store(), PurePosixPath(key)
    content = store.read_bytes(key)
    with _room(EVIDENTLY) as folder:
        (folder / path.name).write_bytes(content)
        title, facts = specs.use_case(name).title, json.loads(content)["metadata"]
        publication = Publication(name, title, path.stem, folder, store.url(str(path.parent)), facts)
        url, key = settings().publish_evidently_url, _key(EVIDENTLY, needed=False)
        return _done(Workspace(url, key, settings().publish_seconds), publication)


@contextmanager
def _champion(name: str, service: Service) -> Iterator[tuple[Bundle, int, Publication]]:
    """What serves: its bundle, its version, and the publication of both."""
    from sluice.release.publishers import releases

    tracking = clients.tracking()
    champion = tracking.aliased(name, "champion")
    if champion is None:
        raise AirflowSkipException(f"{name} has no champion, so there is nothing to publish")
    with _room(service) as folder, downloaded(tracking, champion) as bundle:
        source = clients.store().url(f"releases/{name}/{champion.number}")
        yield bundle, champion.number, releases.of(bundle, champion.number, source, folder / "release")


@contextmanager
def _room(service: Service) -> Iterator[Path]:
    """A folder to make ready what is published, on a disk that has room for it."""
    from sluice.release.publishers.publication import broken

    place = tempfile.gettempdir()
    # Looked at before: of a disk that fills up, not every library that writes to it says so.
    if (free := shutil.disk_usage(place).free) < LEAST_ROOM:
        what = f"there is no room to make ready what goes to {service.name}: {free / 1e6:.0f} MB are free"
        raise PublishError(what, place, "make room on the worker's disk, then clear the task")
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-publish-") as folder:
            yield Path(folder)
    except OSError as error:
        raise broken(service, error, place) from error


def _repository(field: str, name: str) -> str:
    """The repository of a use case; several of them would take each other's place in one."""
    template: str = getattr(settings(), field)
    if "{use_case}" not in template:
        raise PublishError(
            f"{template!r} is one repository for every use case",
            f"SLUICE_{field.upper()}",
            "say where the use case's name belongs, for example acme/{use_case}",
        )
    return template.replace("{use_case}", name)


def _key(service: Service, *, needed: bool = True) -> str:
    """The key to a service; empty where there is none and none is needed."""
    try:
        key: str | None = BaseHook.get_connection(service.connection).password
    except AirflowNotFoundException:
        key = None
    if needed and not key:
        raise PublishError(
            f"there is no key to {service.name}",
            f"Airflow's connection {service.connection}",
            f"make it, with the key as its password, or set AIRFLOW_CONN_{service.connection.upper()}",
        )
    return key or ""


def _done(publisher: Publisher, publication: Publication) -> str:
    address = publisher.publish(publication)
    log.info("%s of %s is published: %s", publication.name, publication.use_case, address)
    return address
