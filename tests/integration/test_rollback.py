"""The way back on the whole stack: by command, under load, with who and why; and what the ledger tells afterwards."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sluice.domain.use_case import UseCase
from sluice.release.ledger import moves, served_at
from tests.live import REPOSITORY, LiveStack


@pytest.fixture(scope="module")
def versions(live: LiveStack) -> tuple[int, int]:
    """A version that served before, and the one that serves; made here where no other test has made them."""
    if (known := moves(live.warehouse, "housing", 1)) and known[0].from_version is not None:
        return known[0].from_version, known[0].to_version
    if live.champion("housing") is None:
        live.run("housing_ingest")
        live.promote("housing", trials=4)
    before = live.champion("housing")
    spec = live.use_cases / "housing" / "use_case.yaml"
    demanding = spec.read_text(encoding="utf-8")
    # Which of the two is better is not the matter here.
    spec.write_text(demanding.replace("min_improvement: 0,", "min_improvement: -0.9,", 1), encoding="utf-8")
    live.run("housing_ingest", source="sample:housing?rows=12000&seed=4811")
    _, decision = live.promote("housing", trials=4)
    spec.write_text(demanding, encoding="utf-8")
    assert before is not None
    assert decision["code"] == "promote", decision["message"]
    return before, decision["version"]


def make(live: LiveStack, target: str, *variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile on the live stack."""
    spared = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        ["make", "--no-print-directory", target, "USE_CASE=housing", *variables],
        cwd=REPOSITORY,
        env=spared | {"SLUICE_VAR": str(live.state.root)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_way_back_takes_seconds_fails_no_request_and_is_told(
    live: LiveStack, versions: tuple[int, int], housing: UseCase
) -> None:
    before, now = versions

    with asking(live, housing) as answers:
        done = make(live, "rollback", "REASON=wrong prices")

    assert done.returncode == 0, done.stderr
    assert "live in 1 process" in done.stdout
    assert f"version {before} of housing serves since" in done.stdout
    assert "rolled back" in done.stdout
    assert "by admin: wrong prices" in done.stdout
    assert {status for status, _ in answers} == {200}
    assert [version for _, version in answers][-1] == before
    assert live.champion("housing") == before
    [move] = moves(live.warehouse, "housing", 1)
    assert (move.action, move.from_version, move.to_version) == ("rollback", now, before)
    assert (move.actor, move.reason) == ("admin", "wrong prices")


def test_going_back_to_what_serves_changes_nothing(live: LiveStack, versions: tuple[int, int]) -> None:
    champion, known = live.champion("housing"), moves(live.warehouse, "housing", 100)

    done = make(live, "rollback", f"TO={champion}", "REASON=to be sure")

    assert done.returncode == 0, done.stderr
    assert "nothing was changed" in done.stdout
    assert moves(live.warehouse, "housing", 100) == known


def test_a_version_that_was_never_released_is_refused_with_those_that_are_open(
    live: LiveStack, versions: tuple[int, int]
) -> None:
    champion = live.champion("housing")

    done = make(live, "rollback", "TO=999", "REASON=a slip")

    assert done.returncode != 0
    assert "it was never released" in done.stderr
    assert f"go back to one of: {versions[1]}" in done.stderr
    assert live.champion("housing") == champion


def test_a_rollback_without_a_reason_is_not_taken(live: LiveStack, versions: tuple[int, int]) -> None:
    with pytest.raises(Exception, match="reason"):
        live.start("housing_rollback")
    assert "needs a reason" in make(live, "rollback").stderr


def test_what_served_is_told_for_every_moment(live: LiveStack, versions: tuple[int, int]) -> None:
    before, now = versions
    [back, promoted] = [
        move
        for move in moves(live.warehouse, "housing", 100)
        if (move.to_version, move.from_version) in ((before, now), (now, before))
    ][:2]

    then = make(live, "served", f"AT={promoted.deployed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}")
    today = make(live, "served")

    assert f"version {now} of housing served since" in then.stdout
    assert f"until {back.deployed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" in then.stdout
    assert f"version {before} of housing serves since" in today.stdout
    assert "the last moves" in today.stdout
    found = served_at(live.warehouse, "housing", datetime.now(UTC))
    assert found is not None
    assert (found.version, found.actor) == (before, "admin")
    assert found.decision_id is not None
    assert "nothing served housing" in make(live, "served", "AT=2001-01-01").stderr
    assert "has not come yet" in make(live, "served", "AT=2201-01-01").stderr


@pytest.fixture
def canaried(live: LiveStack, versions: tuple[int, int]) -> Iterator[Callable[[int], None]]:
    """Lets housing's releases take over little by little in this test; takes how many requests a step needs."""
    spec = live.use_cases / "housing" / "use_case.yaml"
    before = spec.read_text(encoding="utf-8")

    def demand(requests: int) -> None:
        policy = f"serving:\n  canary: {{steps: [0.5], step_minutes: 0.05, min_requests: {requests}}}\n"
        spec.write_text(before.replace("serving:\n", policy, 1), encoding="utf-8")
        live.airflow.await_dag("housing_canary")

    yield demand
    spec.write_text(before, encoding="utf-8")


@pytest.mark.soak
def test_a_canary_takes_over_by_itself(
    live: LiveStack, versions: tuple[int, int], housing: UseCase, canaried: Callable[[int], None]
) -> None:
    champion = live.champion("housing")
    [other] = set(versions) - {champion}
    canaried(20)

    with asking(live, housing) as answers:
        promotion = live.run("housing_promote", version=other, force=True, reason="it shall be tried")
        canary = live.finish(live.airflow.started_by(promotion, "housing_canary"))

    assert canary.state == "success"
    assert live.champion("housing") == other
    assert {status for status, _ in answers} == {200}
    last, first = moves(live.warehouse, "housing", 2)
    # At first it is given a share only.
    assert (first.action, first.share, last.action, last.to_version) == ("canary", 0.5, "promote", other)


@pytest.mark.soak
def test_going_back_ends_a_canary(
    live: LiveStack, versions: tuple[int, int], housing: UseCase, canaried: Callable[[int], None]
) -> None:
    champion = live.champion("housing")
    [other] = set(versions) - {champion}
    canaried(1_000_000)

    promotion = live.run("housing_promote", version=other, force=True, reason="it shall be tried")
    canary = live.airflow.started_by(promotion, "housing_canary")
    done = make(live, "rollback", f"TO={champion}", "REASON=people complain")

    assert done.returncode == 0, done.stderr
    assert live.finish(canary).state == "success", "who ends a canary need not be told of it"
    assert live.champion("housing") == champion
    withdrawals = [move for move in moves(live.warehouse, "housing", 3) if move.action == "withdraw"]
    assert [(move.actor, move.reason) for move in withdrawals] == [("admin", "people complain")]


@contextmanager
def asking(live: LiveStack, housing: UseCase) -> Iterator[list[tuple[int, int | None]]]:
    """Ask the endpoint all the time; collects status and version of each answer, and goes on a little at the end."""
    answers: list[tuple[int, int | None]] = []
    over = threading.Event()

    def ask() -> None:
        body: dict[str, Any] = {"instances": [dict(housing.serving.example)]}
        with httpx.Client(base_url=live.addresses.serving("housing"), trust_env=False, timeout=10) as client:
            while not over.is_set():
                answer = client.post("/api/v1/predict", json=body)
                answers.append((answer.status_code, answer.json().get("model_version") if answer.is_success else None))
                over.wait(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
        time.sleep(0.5)
    finally:
        over.set()
        thread.join()
