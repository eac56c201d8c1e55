"""The judging steps of a promotion: gather the evidence of both blessings, for one version of one bundle."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import BundleError
from sluice.domain.evidence import Subject
from sluice.orchestration import clients, specs
from sluice.orchestration.bundles import downloaded
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.adapters.bundles import Bundle

log = logging.getLogger(__name__)


def judge_quality(name: str, subject: dict[str, Any], *, run_id: str) -> bool:
    """Gather the evidence of the first blessing, and say whether it is given."""
    from sluice.gate import decision, quality

    about = Subject(**subject)
    use_case = specs.use_case(name)
    warehouse = clients.warehouse()
    decision.discard_evidence(warehouse, name, run_id, "good_enough", "servable")
    with candidate(about) as judged, champion(about) as rival:
        rows = quality.held_out_rows(warehouse, use_case)
        evidence = quality.judge(use_case, about, judged, rival, rows)
    decision.store_evidence(warehouse, run_id, evidence)
    clients.tracking().measure(judged.contract.lineage.run_id, {f"gate_{k}": v for k, v in evidence.metrics.items()})
    for check in evidence.checks:
        log.info("%s: %s: %s", check.verdict, check.code, check.message)
    for note in evidence.notes:
        log.info("note: %s", note)
    return all(c.verdict == "pass" for c in evidence.checks)


def build_release(name: str, subject: dict[str, Any], good_enough: bool, *, run_id: str) -> dict[str, Any]:
    """Build the bento of a candidate that is good enough."""
    from dataclasses import asdict

    from sluice.gate import decision
    from sluice.release import bento

    decision.discard_evidence(clients.warehouse(), name, run_id, "servable")
    if not good_enough:
        raise AirflowSkipException("the candidate is not good enough, so there is nothing to build")
    about = Subject(**subject)
    with candidate(about) as judged:
        release = bento.build(settings().service, judged, about.version, settings().bento_store)
    log.info("built %s at %s", release.bento, release.bento_path)
    return asdict(release)


def judge_servability(name: str, subject: dict[str, Any], release: dict[str, Any], *, run_id: str) -> None:
    """Start the release and gather the evidence of the second blessing."""
    from sluice.domain.release import Release
    from sluice.gate import decision, servability
    from sluice.release.process import started

    about = Subject(**subject)
    budget = specs.use_case(name).gate.servable
    with (
        candidate(about) as judged,
        started(Release(**release), budget.ready_seconds) as running,
    ):
        evidence = servability.judge(budget, about, running, judged.contract, judged.golden)
    decision.store_evidence(clients.warehouse(), run_id, evidence)
    for check in evidence.checks:
        log.info("%s: %s: %s", check.verdict, check.code, check.message)


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
