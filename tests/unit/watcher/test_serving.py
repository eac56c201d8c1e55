"""Endpoints: whether what was deployed answers, and whether its answers are logged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from local.ports import free_port
from sluice.adapters.warehouse import Warehouse
from tests.unit.watcher.conftest import Answers
from watcher import serving
from watcher.serving import Deployed, Drops
from watcher.sight import CannotTell, Seen, Unseen

SQL = Path(__file__).parents[3] / "include" / "sql"
LINK = "http://watcher.test"


@pytest.fixture
def ledger(warehouse: Warehouse) -> Warehouse:
    """A warehouse in which housing was deployed and loan never was."""
    warehouse.execute("TRUNCATE serving.replicas")
    if not warehouse.rows("SELECT 1 FROM ml.deployments"):
        warehouse.execute(
            "INSERT INTO ml.deployments (use_case, to_version, actor, reason) VALUES ('housing', 1, 'gate', 'promote')"
        )
    return warehouse


@pytest.fixture
def deployed(ledger: Warehouse) -> Deployed:
    known = Deployed(ledger)
    known.refresh()
    return known


def beat(ledger: Warehouse, version: int | None, age: float) -> None:
    ledger.execute(
        "INSERT INTO serving.replicas"
        " (use_case, host, pid, version, source, reason, runtime_sha256, started_at, seen_at)"
        " VALUES ('housing', 'a', 1, %(version)s, 'registry', 'ok', 'x', now(), %(at)s)",
        {"version": version, "at": datetime.now(UTC) - timedelta(seconds=age)},
    )


def test_an_endpoint_that_is_ready_is_well(http: httpx.Client, answers: Answers, deployed: Deployed) -> None:
    answers.by_path["/readyz"] = ""

    assert serving.ready(http, "housing", answers.url, deployed) == Seen(note=answers.url)


@pytest.mark.parametrize("answers_at_all", [True, False])
def test_an_endpoint_that_is_not_ready_is_its_owner_s_business(
    http: httpx.Client, answers: Answers, deployed: Deployed, answers_at_all: bool
) -> None:
    url = answers.url if answers_at_all else f"http://127.0.0.1:{free_port()}"

    sight = serving.ready(http, "housing", url, deployed)

    assert isinstance(sight, Seen)
    [alert] = sight.alerts
    assert (alert.cause, alert.kind, alert.use_case) == ("serving:housing", "serving_not_ready", "housing")


def test_what_was_never_deployed_need_not_answer(http: httpx.Client, answers: Answers, deployed: Deployed) -> None:
    assert serving.ready(http, "loan", answers.url, deployed) == Seen(note="never deployed")


def test_what_was_deployed_is_still_known_while_the_warehouse_is_away(
    http: httpx.Client, answers: Answers, ledger: Warehouse
) -> None:
    away = Deployed(Warehouse(f"postgresql://nobody@127.0.0.1:{free_port()}/none", SQL))
    away.refresh()

    with pytest.raises(CannotTell, match="ledger"):
        serving.ready(http, "housing", answers.url, away)


@pytest.mark.parametrize(
    ("version", "age", "causes"),
    [(1, 2, []), (1, 90, ["serving:housing"]), (None, 2, ["serving:housing"])],
    ids=["fresh", "stale", "without a release"],
)
def test_where_there_is_no_address_heartbeats_tell(
    ledger: Warehouse, version: int | None, age: float, causes: list[str]
) -> None:
    beat(ledger, version, age)

    seen = serving.beating(ledger, 60, frozenset({"housing"}), LINK)

    assert [alert.cause for alert in seen.alerts] == causes


def test_who_is_not_looked_for_needs_no_heartbeat(ledger: Warehouse) -> None:
    assert serving.beating(ledger, 60, frozenset({"loan"}), LINK).alerts == ()


class Log:
    """A model server's counter, and a clock."""

    def __init__(self, http: httpx.Client, answers: Answers) -> None:
        self.now = 0.0
        self._answers = answers
        self._drops = Drops(http, "housing", answers.url, "", calm=600, clock=lambda: self.now)

    def look(self, dropped: float) -> list[str]:
        self._answers.by_path["/metrics"] = (
            "# TYPE prediction_log_dropped_total counter\n"
            f'prediction_log_dropped_total{{use_case="housing"}} {dropped}\n'
        )
        sight = self._drops.look()
        assert isinstance(sight, Seen)
        return [alert.error for alert in sight.alerts]


def test_a_lost_prediction_is_told_until_none_was_lost_for_a_while(http: httpx.Client, answers: Answers) -> None:
    log = Log(http, answers)
    before = log.look(5)
    log.now = 10
    [lost] = log.look(8)
    log.now = 300
    [more] = log.look(10)
    log.now = 899
    [still] = log.look(10)
    log.now = 901

    assert before == []
    assert lost.startswith("3 predictions lost")
    assert more.startswith("5 predictions lost")
    assert still.startswith("5 predictions lost, the last 599 s ago")
    assert log.look(10) == []


def test_a_new_process_counts_from_nothing(http: httpx.Client, answers: Answers) -> None:
    log = Log(http, answers)
    log.look(100)

    [lost] = log.look(2)

    assert lost.startswith("2 predictions lost")


def test_a_server_that_asks_for_a_key_is_not_asked(http: httpx.Client, answers: Answers) -> None:
    drops = Drops(http, "housing", f"{answers.url}/api/v2", "", calm=600)

    sight = drops.look()

    assert isinstance(sight, Unseen)
    assert sight.off
    assert "SLUICE_WATCHER_API_KEY" in sight.note


def test_a_server_that_does_not_say_leaves_nobody_the_wiser(http: httpx.Client, answers: Answers) -> None:
    with pytest.raises(CannotTell, match="404"):
        Drops(http, "housing", answers.url, "", calm=600).look()
