"""The end of a service: what it answered is written before, or counted, whatever the database does meanwhile."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import Recipe
from tests.bentos.clients import Load, asking, audit
from tests.bentos.servers import Mlflow, Relay, Service, eventually

WORKERS, CLIENTS, VERSION, BASE = 2, 4, 3, 40.0
#: Seconds that the end may take: the log's patience, and what a server needs by itself.
LONGEST = 12.0
#: Seconds in which the log is written where the database takes it.
PATIENCE = 4.0

Begin = Callable[..., Service]


@pytest.fixture
def begin(serve: Callable[..., Service], warehouse: Warehouse, way: Relay, tmp_path: Path) -> Begin:
    """Starts a service of several processes, which has a release of its own and nothing in its log."""
    bundle = bundles.write(tmp_path / "bundle", Recipe(base=BASE).with_limits(max_instances=100))
    (bundle / "release.json").write_text(json.dumps({"version": VERSION, "bento": f"rents:{VERSION}"}))
    warehouse.execute("DELETE FROM serving.answers")
    warehouse.execute("DELETE FROM serving.replicas")

    def start(**environment: str) -> Service:
        dsn = way.around(warehouse.dsn)
        service = serve(
            SLUICE_BUNDLE=str(bundle), SLUICE_WAREHOUSE_DSN=dsn, SLUICE_WORKERS=str(WORKERS), **environment
        ).wait()
        eventually(lambda: len(warehouse.rows("SELECT 1 FROM serving.replicas WHERE version IS NOT NULL")) == WORKERS)
        return service

    return start


def more(load: Load) -> None:
    """Let the clients be answered for a while."""
    seen = load.requests
    eventually(lambda: load.requests > seen + 100)


def ended(service: Service) -> float:
    """End a service, and say how long it takes."""
    began = time.monotonic()
    assert service.stop(60) == 0
    return time.monotonic() - began


def counted(service: Service) -> int:
    """How many predictions it said at its end that it could not log."""
    return _told(service, r"(\d+) predictions could not be logged before the end")


def doubted(service: Service) -> int:
    """How many of them were being committed when the connection ended."""
    return _told(service, r"(\d+) of them may be there nevertheless")


def _told(service: Service, pattern: str) -> int:
    told = re.findall(pattern, service.log)
    assert len(told) <= WORKERS
    return sum(map(int, told))


def test_what_waits_is_written_before_the_end(
    begin: Begin, way: Relay, warehouse: Warehouse, say: Callable[[str], None]
) -> None:
    service = begin()
    with asking(service, [""] * CLIENTS, {VERSION: BASE}, pause=0.01) as load:
        more(load)
        way.cut()
        more(load)
        way.mend()
        # At once, so that hardly anybody has tried again to connect.
        seconds = ended(service)
    books = audit(warehouse.dsn, load)
    say(f"end under load after an outage: {seconds:.1f} s, {books.predictions} predictions logged")
    assert (books.missing, books.wrong, counted(service)) == (0, [], 0)
    assert seconds < LONGEST
    assert not warehouse.rows("SELECT 1 FROM serving.replicas")


@pytest.mark.parametrize("how", ["cut", "swallow"], ids=["away", "silent"])
def test_without_a_database_the_end_comes_in_time_and_what_is_lost_is_counted(
    begin: Begin, way: Relay, warehouse: Warehouse, say: Callable[[str], None], how: str
) -> None:
    service = begin()
    with asking(service, [""] * CLIENTS, {VERSION: BASE}, pause=0.01) as load:
        more(load)
        getattr(way, how)()
        more(load)
        seconds = ended(service)
    books = audit(warehouse.dsn, load)
    lost, doubtful = counted(service), doubted(service)
    say(f"end with the database {how}: {seconds:.1f} s, {lost} predictions counted as lost, {doubtful} in doubt")
    # The last answers of all were perhaps not heard, though they were given.
    assert lost - doubtful - CLIENTS * 100 <= books.missing <= lost
    assert books.wrong == []
    assert books.missing > 0
    assert seconds < LONGEST


def test_a_registry_that_is_silent_holds_nothing_up_that_is_to_be_written(
    begin: Begin, registry: Mlflow, warehouse: Warehouse, say: Callable[[str], None]
) -> None:
    silent = Relay("127.0.0.1", int(registry.url.rpartition(":")[2]))
    silent.mend()
    silent.swallow()
    try:
        service = begin(MLFLOW_TRACKING_URI=f"http://127.0.0.1:{silent.port}")
        assert service.process
        with asking(service, [""] * CLIENTS, {VERSION: BASE}, pause=0.01) as load:
            more(load)
            began = time.monotonic()
            service.process.terminate()
            # The heartbeat is taken back once everything is written; whoever ends us may have no more patience.
            eventually(lambda: not warehouse.rows("SELECT 1 FROM serving.replicas"), within=PATIENCE)
            seconds = time.monotonic() - began
            service.stop(60)
    finally:
        silent.cut()
    books = audit(warehouse.dsn, load)
    say(f"end with the registry silent: all is written after {seconds:.1f} s")
    assert (books.missing, books.wrong) == (0, [])
