"""The heartbeat beside a real database: when it is due, what it shows, how it is taken back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from sluice.adapters.warehouse import Warehouse
from tabular.record.heartbeat import Heartbeat
from tabular.releases.standing import Standing

QUERY = "SELECT reason FROM serving.replicas WHERE use_case = %(use_case)s"


@pytest.fixture
def link(warehouse: Warehouse) -> Iterator[Connection]:
    connection = psycopg2.connect(warehouse.dsn)
    yield connection
    connection.close()


def shown(warehouse: Warehouse, use_case: str) -> list[str]:
    return [row["reason"] for row in warehouse.rows(QUERY, {"use_case": use_case})]


def test_a_change_is_shown_at_once_and_nothing_twice(link: Connection, warehouse: Warehouse) -> None:
    now = Standing(reason="unreachable")
    heartbeat = Heartbeat("rents", "r" * 64, lambda: now)
    assert heartbeat.is_due()
    heartbeat.beat(link)
    assert not heartbeat.is_due()

    now = Standing(reason="ok")
    assert heartbeat.is_due()
    heartbeat.beat(link)
    assert shown(warehouse, "rents") == ["ok"]


@pytest.mark.parametrize("odd", ["no \x00 here", "no \ud800 here"], ids=["for the database", "for any text"])
def test_a_reason_that_no_database_holds_is_shown_without_that(
    link: Connection, warehouse: Warehouse, odd: str
) -> None:
    standing = Standing(reason=odd + "." * 5000, challenger_reason=odd)
    Heartbeat("houses", "r" * 64, lambda: standing).beat(link)
    query = "SELECT reason, challenger_reason FROM serving.replicas WHERE use_case = 'houses'"
    (row,) = warehouse.rows(query)
    assert row["reason"].rstrip(".") == row["challenger_reason"] == "no   here"
    assert len(row["reason"]) == 2000


def test_after_the_warehouse_was_away_it_is_shown_again(link: Connection) -> None:
    standing = Standing()
    heartbeat = Heartbeat("rents", "r" * 64, lambda: standing)
    heartbeat.beat(link)
    heartbeat.forget()
    assert heartbeat.is_due()


def test_an_old_one_is_renewed(link: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = Standing()
    heartbeat = Heartbeat("rents", "r" * 64, lambda: standing)
    heartbeat.beat(link)
    monkeypatch.setattr("tabular.record.heartbeat.EVERY", 0.0)
    assert heartbeat.is_due()


def test_only_the_processes_own_is_taken_back_and_those_of_dead_neighbours(
    link: Connection, warehouse: Warehouse
) -> None:
    heartbeat = Heartbeat("flats", "r" * 64, Standing)
    heartbeat.beat(link)
    others = {"1": "alive", "4194305": "dead"}
    for pid, reason in others.items():
        warehouse.execute(
            "INSERT INTO serving.replicas SELECT use_case, host, %(pid)s, version, bundle_sha256, source, %(reason)s,"
            " runtime_sha256, started_at, seen_at FROM serving.replicas"
            " WHERE use_case = 'flats' AND reason = 'starting'",
            {"pid": int(pid), "reason": reason},
        )
    heartbeat.bury_dead_neighbours(link)
    assert sorted(shown(warehouse, "flats")) == ["alive", "starting"]
    heartbeat.take_back(link)
    assert shown(warehouse, "flats") == ["alive"]
