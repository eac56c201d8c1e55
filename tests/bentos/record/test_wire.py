"""The wire to a database that falls silent: whoever waits at it is told so, and the next one finds the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from sluice.adapters.warehouse import Warehouse
from tabular.record.wire import Wire
from tests.bentos.servers import Relay

MakeWire = Callable[[float], Wire]


@pytest.fixture
def make_wire(warehouse: Warehouse, way: Relay) -> Iterator[MakeWire]:
    made: list[Wire] = []

    def make(silence: float) -> Wire:
        made.append(Wire(way.around(warehouse.dsn), "test", silence))
        made[-1].open()
        return made[-1]

    yield make
    for wire in made:
        wire.close()


def ask(wire: Wire) -> None:
    with wire.talk() as link, link.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_silence_ends_after_a_while_and_a_new_connection_works(make_wire: MakeWire, way: Relay) -> None:
    wire = make_wire(0.5)
    ask(wire)
    way.swallow()
    began = time.monotonic()
    with pytest.raises(psycopg2.OperationalError):
        ask(wire)
    assert 0.4 < time.monotonic() - began < 5
    wire.close()
    way.mend()
    wire.open()
    ask(wire)


def test_who_talks_for_longer_in_pieces_is_not_cut(make_wire: MakeWire) -> None:
    wire = make_wire(1.5)
    for _ in range(3):
        ask(wire)
        time.sleep(0.8)
    ask(wire)


def test_another_thread_may_cut_it_at_any_moment(make_wire: MakeWire, way: Relay) -> None:
    wire = make_wire(60)
    way.swallow()
    threading.Timer(0.3, wire.cut).start()
    began = time.monotonic()
    with pytest.raises(psycopg2.OperationalError):
        ask(wire)
    assert time.monotonic() - began < 5
    wire.close()
    wire.cut()
    with pytest.raises(psycopg2.InterfaceError):
        ask(wire)
