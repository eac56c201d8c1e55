"""The judging steps of a promotion: gather the evidence of both blessings, for one version of one bundle."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import BundleError, SluiceError
from sluice.domain.evidence import Blessing, Check, Evidence, Subject
from sluice.domain.release import Release
from sluice.orchestration import clients, specs
from sluice.orchestration.bundles import downloaded
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.adapters.bundles import Bundle
    from sluice.release.probe import Probe

log = logging.getLogger(__name__)


def judge_quality(name: str, subject: dict[str, Any], *, run_id: str) -> bool:
    """Gather the evidence of the first blessing, and say whether it is given."""
    from sluice.gate import decision, quality, rows

    about = Subject(**subject)
    use_case = specs.use_case(name)
    warehouse = clients.warehouse()
    decision.discard_evidence(warehouse, name, run_id, "good_enough", "servable")
    with _telling(run_id, about, "good_enough"), candidate(about) as judged, champion(about) as rival:
        evidence = quality.judge(use_case, about, judged, rival, rows.read(warehouse, use_case))
    decision.store_evidence(warehouse, run_id, evidence)
    clients.tracking().measure(judged.contract.lineage.run_id, {f"gate_{k}": v for k, v in evidence.metrics.items()})
    for check in evidence.checks:
        around = f"; interval {check.interval[0]:.4g} to {check.interval[1]:.4g}" if check.interval else ""
        log.info("%s: %s: %s%s", check.verdict, check.code, check.message, around)
    for note in evidence.notes:
        log.info("note: %s", note)
    return all(c.verdict == "pass" for c in evidence.checks)


def build_release(
    name: str, subject: dict[str, Any], good_enough: bool, *, run_id: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Build the bento of a candidate that is good enough or forced, and its image where there is an engine."""
    from sluice.gate import decision
    from sluice.release import bento, depot, image

    decision.discard_evidence(clients.warehouse(), name, run_id, "servable")
    if not good_enough and not params["force"]:
        raise AirflowSkipException("the candidate is not good enough, so there is nothing to build")
    about, home, engine = Subject(**subject), settings().bento_store, settings().container_engine
    with _telling(run_id, about, "servable"):
        with candidate(about) as judged:
            release = bento.build(settings().service, judged, about.version, home)
        depot.put(clients.store(), release)
        log.info("built %s at %s", release.bento, release.bento_path)
        if engine != "none":
            release = image.build(engine, release, home)
    log.info("image: %s", release.image or "none was built: the engine is none")
    return asdict(release)


def judge_servability(name: str, subject: dict[str, Any], release: dict[str, Any], *, run_id: str) -> None:
    """Start the release and gather the evidence of the second blessing."""
    from sluice.gate import decision, servability

    about, built = Subject(**subject), Release(**release)
    budget = specs.use_case(name).gate.servable
    with (
        _telling(run_id, about, "servable"),
        candidate(about) as judged,
        _started(built, budget.ready_seconds) as probe,
    ):
        evidence = servability.judge(
            budget, about, probe.started, judged.contract, judged.golden, image=built.image, stop=probe.stop
        )
    decision.store_evidence(clients.warehouse(), run_id, evidence)
    for check in evidence.checks:
        log.info("%s: %s: %s", check.verdict, check.code, check.message)
    for note in evidence.notes:
        log.info("note: %s", note)


def _started(release: Release, budget_seconds: float) -> AbstractContextManager[Probe]:
    """The release as a container where there is an image that can be run here, else as a process.

    Another machine may have built it: then its bento is brought here, and its image is built here once more.
    """
    from sluice.release import container, depot, image, process

    engine, home = settings().container_engine, settings().bento_store
    release = replace(release, bento_path=str(depot.take(clients.store(), release.bento, home)))
    if release.image is None:
        return process.started(release, budget_seconds, "no image was built: the engine is none")
    if engine == "docker" or engine == "podman":
        imaged = image.build(engine, release, home)
        return container.started(engine, imaged, budget_seconds, settings().probe_reach)
    return process.started(release, budget_seconds, f"{engine} built the image and runs none")


@contextmanager
def _telling(run_id: str, subject: Subject, blessing: Blessing) -> Iterator[None]:
    """What keeps evidence from being gathered is evidence itself: it could not be told, and why."""
    from sluice.gate import decision

    try:
        yield
    except SluiceError as error:
        check = Check(code=error.code, verdict="unknown", message=str(error))
        evidence = Evidence(subject=subject, blessing=blessing, checks=(check,))
        decision.store_evidence(clients.warehouse(), run_id, evidence)
        raise


@contextmanager
def candidate(subject: Subject) -> Iterator[Bundle]:
    """The bundle that is judged."""
    tracking = clients.tracking()
    with downloaded(tracking, tracking.version(subject.use_case, subject.version)) as bundle:
        yield _spoken_of(bundle, subject.bundle_sha256)


@contextmanager
def champion(subject: Subject) -> Iterator[Bundle | None]:
    """The champion's bundle, or none where there is no champion."""
    if subject.champion_version is None:
        yield None
        return
    tracking = clients.tracking()
    with downloaded(tracking, tracking.version(subject.use_case, subject.champion_version)) as bundle:
        yield _spoken_of(bundle, subject.champion_bundle_sha256)


def _spoken_of(bundle: Bundle, sha256: str | None) -> Bundle:
    """The bundle, if it is still the one that this run began with."""
    if bundle.sha256 != sha256:
        raise BundleError(f"the bundle changed meanwhile, from {sha256}", bundle.sha256, "promote again")
    return bundle
