"""The rollback DAG's steps, on a real registry, ledger and store: who asked is kept, repeats change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.evidence import Decision, Subject
from sluice.domain.policy import Canary
from sluice.domain.release import Release
from sluice.gate.decision import store_decision
from sluice.orchestration.rollback import choose, roll_back
from sluice.release import canary
from sluice.release.deployments import Order
from sluice.release.ledger import moves, served_at
from sluice.settings import settings
from tests.bentos.bundles import USE_CASE, Recipe
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow


@dataclass(frozen=True)
class Asked:
    """A DAG run, as far as a step looks at it."""

    triggering_user_name: str | None


@pytest.fixture
def platform(
    registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """The services that the settings name."""
    folder = tmp_path_factory.mktemp("steps")
    store = ObjectStore((folder / "store").as_uri())
    monkeypatch.setenv("SLUICE_WAREHOUSE_DSN", warehouse.dsn)
    monkeypatch.setenv("SLUICE_OBJECT_STORE", store.root)
    monkeypatch.setenv("SLUICE_BENTO_STORE", str(folder))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.url)
    settings.cache_clear()
    yield Platform(warehouse, Tracking(registry.url), store, folder)
    settings.cache_clear()


@pytest.fixture
def releases(platform: Platform) -> tuple[Release, Release]:
    """Two releases that were promoted one after the other, with their bentos."""
    older, newer = (platform.publish(*platform.register(Recipe(base=base))) for base in (10, 20))
    platform.tracking.unpoint(USE_CASE, "champion")
    for release in (older, newer):
        platform.deploy(release)
        platform.scratch.joinpath("bentos", *release.bento.split(":")).mkdir(parents=True)
    return older, newer


@pytest.mark.parametrize(("user", "actor"), [("ann", "ann"), (None, "airflow")], ids=["a person", "nobody"])
def test_a_rollback_is_entered_once_with_who_asked_and_why(
    platform: Platform, releases: tuple[Release, Release], user: str | None, actor: str
) -> None:
    older, newer = releases
    choice = choose(USE_CASE, params={"to": None, "reason": "wrong prices"})

    first, again = (roll_back(choice, params={"reason": "wrong prices"}, dag_run=Asked(user)) for _ in range(2))

    assert first == again
    champion = platform.tracking.aliased(USE_CASE, "champion")
    assert champion is not None
    assert champion.number == older.version
    last, before = moves(platform.warehouse, USE_CASE, 2)
    assert (last.action, last.actor, last.reason) == ("rollback", actor, "wrong prices")
    assert (last.from_version, last.to_version) == (newer.version, older.version)
    assert before.action == "promote"


def test_going_back_to_what_serves_changes_nothing(platform: Platform, releases: tuple[Release, Release]) -> None:
    params: dict[str, Any] = {"to": releases[1].version, "reason": "to be sure"}
    before = moves(platform.warehouse, USE_CASE, 100)

    with pytest.raises(AirflowSkipException, match="serves already: nothing is changed"):
        choose(USE_CASE, params=params)

    assert moves(platform.warehouse, USE_CASE, 100) == before


@pytest.mark.parametrize("to_champion", [True, False], ids=["to the champion", "beyond it"])
def test_going_back_withdraws_the_canary_that_runs(
    platform: Platform, releases: tuple[Release, Release], to_champion: bool
) -> None:
    older, champion = releases
    challenger = platform.publish(*platform.register(Recipe(base=30)))
    canary.begin(platform.warehouse, platform.tracking, decided(platform, challenger, champion), Canary())
    back = champion if to_champion else older

    choice = choose(USE_CASE, params={"to": back.version, "reason": "too slow"})
    roll_back(choice, params={"reason": "too slow"}, dag_run=Asked("ann"))

    assert canary.running(platform.warehouse, USE_CASE) is None
    assert platform.tracking.aliased(USE_CASE, "challenger") is None
    served = served_at(platform.warehouse, USE_CASE, datetime.now(UTC))
    assert served is not None
    assert (served.version, served.challenger) == (back.version, None)
    entered = [(move.action, move.actor) for move in moves(platform.warehouse, USE_CASE, 2)]
    assert ("withdraw", "ann") in entered
    assert (("rollback", "ann") in entered) is not to_champion


def decided(platform: Platform, release: Release, champion: Release) -> Order:
    """An order with the decision behind it."""
    subject = Subject(
        use_case=USE_CASE,
        version=release.version,
        bundle_sha256=release.bundle_sha256,
        champion_version=champion.version,
        champion_bundle_sha256=champion.bundle_sha256,
    )
    decision = Decision(code="promote", message="good")
    number = store_decision(platform.warehouse, f"run-{release.version}", subject, decision, ())
    return Order(release, champion.version, number, "gate", "good")
