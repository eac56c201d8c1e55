"""The canary's steps, on a real registry, ledger and store: what a run does of what a canary came to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.evidence import Decision, Subject
from sluice.domain.release import Release
from sluice.gate.decision import store_decision
from sluice.orchestration.canary import conclude, pick, watch
from sluice.orchestration.promote import begin_canary, deploy
from sluice.release import canary
from sluice.release.ledger import moves
from sluice.settings import settings
from tests.bentos.bundles import USE_CASE, Recipe
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow

HOUSING = Path(__file__).parents[3] / "include" / "use_cases" / "housing"


@pytest.fixture(scope="module")
def platform(registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The services that the settings name."""
    folder = tmp_path_factory.mktemp("steps")
    spec = (HOUSING / "use_case.yaml").read_text(encoding="utf-8").replace("name: housing", f"name: {USE_CASE}", 1)
    shutil.copytree(HOUSING, folder / "use_cases" / USE_CASE)
    asking = spec.replace("serving:\n", "serving:\n  canary: {steps: [0.3]}\n", 1)
    (folder / "use_cases" / USE_CASE / "use_case.yaml").write_text(asking, encoding="utf-8")
    store = ObjectStore((folder / "store").as_uri())
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SLUICE_WAREHOUSE_DSN", warehouse.dsn)
        environment.setenv("SLUICE_OBJECT_STORE", store.root)
        environment.setenv("SLUICE_USE_CASES", str(folder / "use_cases"))
        environment.setenv("MLFLOW_TRACKING_URI", registry.url)
        settings.cache_clear()
        yield Platform(warehouse, Tracking(registry.url), store, folder)
    settings.cache_clear()


@pytest.fixture
def serving(platform: Platform) -> Release:
    """The champion of now, beside which nothing is tried."""
    release = platform.publish(*platform.register(Recipe(base=10)))
    canary.withdraw(platform.warehouse, platform.tracking, USE_CASE, "test", "another follows")
    platform.deploy(release)
    return release


@pytest.fixture
def challenger(platform: Platform, serving: Release) -> Release:
    """A release whose canary runs."""
    subject, release = judged(platform, Recipe(base=20), serving)
    begin_canary(subject, asdict(release), run_id=f"run-{release.version}", params={"reason": None})
    return release


def judged(platform: Platform, recipe: Recipe, champion: Release | None) -> tuple[dict[str, Any], Release]:
    """What a run knows of a version that it decided to promote."""
    bundle, version = platform.register(recipe)
    release = platform.publish(bundle, version)
    about = Subject(
        use_case=USE_CASE,
        version=version,
        bundle_sha256=release.bundle_sha256,
        champion_version=champion.version if champion else None,
        champion_bundle_sha256=champion.bundle_sha256 if champion else None,
    )
    store_decision(platform.warehouse, f"run-{version}", about, Decision(code="promote", message="good"), ())
    return about.model_dump(), release


def champion(platform: Platform) -> int:
    found = platform.tracking.aliased(USE_CASE, "champion")
    assert found
    return found.number


def test_a_promotion_begins_a_canary_and_deploys_nothing_itself(platform: Platform, serving: Release) -> None:
    subject, release = judged(platform, Recipe(base=20), serving)
    run: dict[str, Any] = {"run_id": f"run-{release.version}", "params": {"reason": None}}

    first, again = (begin_canary(subject, asdict(release), **run) for _ in range(2))
    with pytest.raises(AirflowSkipException, match=f"canary {first} has begun"):
        deploy(subject, asdict(release), first, **run)

    assert first == again == pick(USE_CASE)
    assert champion(platform) == serving.version
    [last] = moves(platform.warehouse, USE_CASE, 1)
    assert (last.action, last.to_version, last.share, last.actor) == ("canary", release.version, 0.3, "gate")


def test_a_release_for_other_code_takes_all_of_the_traffic_and_the_ledger_says_why(
    platform: Platform, serving: Release
) -> None:
    subject, release = judged(platform, Recipe(base=20, runtime_sha256="f" * 64), serving)
    run: dict[str, Any] = {"run_id": f"run-{release.version}", "params": {"reason": None}}
    why = f"version {serving.version} runs on other serving code"

    with pytest.raises(AirflowSkipException, match=why):
        begin_canary(subject, asdict(release), **run)
    deploy(subject, asdict(release), None, **run)

    assert champion(platform) == release.version
    [last] = moves(platform.warehouse, USE_CASE, 1)
    assert (last.action, last.reason) == ("promote", f"good (all of the traffic at once: {why})")


def test_while_nothing_is_told_the_watch_goes_on(challenger: Release) -> None:
    looked = watch(USE_CASE)

    assert (looked.is_done, looked.xcom_value) == (False, None)


def test_what_nothing_speaks_against_is_promoted_once(platform: Platform, challenger: Release) -> None:
    number = pick(USE_CASE)

    first, again = (conclude(USE_CASE, number, "500 requests", run_id="r1") for _ in range(2))

    assert first == again
    assert first["version"] == champion(platform) == challenger.version
    [last] = moves(platform.warehouse, USE_CASE, 1)
    assert (last.action, last.actor, last.reason) == ("promote", "canary", "500 requests")


def test_a_watch_that_was_marked_as_done_promotes_nothing(platform: Platform, challenger: Release) -> None:
    with pytest.raises(StateError, match="nobody has watched it"):
        conclude(USE_CASE, pick(USE_CASE), None, run_id="r1")

    assert champion(platform) == challenger.version - 1


def test_one_that_withdrew_itself_fails_the_run_with_the_reason(platform: Platform, challenger: Release) -> None:
    number = pick(USE_CASE)
    platform.tracking.unpoint(USE_CASE, "challenger")

    assert watch(USE_CASE).is_done

    with pytest.raises(StateError, match=r"was withdrawn, withdraw:challenger_changed: .* was taken away"):
        conclude(USE_CASE, number, "", run_id="r1")
    assert champion(platform) == challenger.version - 1
    cause = {"cause": f"canary:{USE_CASE}.{challenger.version}"}
    [told] = platform.warehouse.rows("SELECT * FROM monitoring.incidents WHERE cause = %(cause)s", cause)
    assert (told["kind"], told["occasion"]) == ("canary_withdrawn", f"{USE_CASE}_canary/r1")


def test_one_that_a_person_ended_ends_the_run_quietly(platform: Platform, challenger: Release) -> None:
    number = pick(USE_CASE)
    canary.withdraw(platform.warehouse, platform.tracking, USE_CASE, "ann", "wrong prices")

    assert watch(USE_CASE).is_done

    with pytest.raises(AirflowSkipException, match=r"ann withdrew version \d+: wrong prices"):
        conclude(USE_CASE, number, "", run_id="r1")


def test_the_run_of_an_earlier_canary_touches_no_later_one(platform: Platform, challenger: Release) -> None:
    before: Any = pick(USE_CASE) - 1

    with pytest.raises(AirflowSkipException, match="another one follows"):
        conclude(USE_CASE, before, "", run_id="r1")

    assert champion(platform) == challenger.version - 1


def test_without_a_canary_there_is_nothing_to_watch(platform: Platform) -> None:
    with pytest.raises(StateError, match="never had a canary"):
        pick("never")
