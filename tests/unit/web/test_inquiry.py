import psycopg2
import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import TransientError
from sluice.web.inquiry import inquire


def test_a_page_can_change_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(TransientError, match="read-only transaction"), inquire(warehouse) as inquiry:
        inquiry.connection.cursor().execute("DELETE FROM monitoring.heartbeats")


def test_a_page_does_not_wait_for_a_slow_database(warehouse: Warehouse) -> None:
    with pytest.raises(TransientError, match="statement timeout"), inquire(warehouse) as inquiry:
        inquiry.connection.cursor().execute("SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(5)")

    with inquire(warehouse) as inquiry, inquiry.connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("5s",)


def test_everything_on_a_page_was_true_at_the_same_moment(warehouse: Warehouse) -> None:
    beat = "INSERT INTO monitoring.heartbeats VALUES ('watcher', now(), '')"
    with inquire(warehouse) as inquiry:
        before = inquiry.rows("heartbeats", {"component": "watcher"})
        warehouse.execute(beat)
        assert inquiry.rows("heartbeats", {"component": "watcher"}) == before == []

    with inquire(warehouse) as inquiry:
        assert len(inquiry.rows("heartbeats", {"component": "watcher"})) == 1


def test_a_database_that_is_away_is_said_to_be(warehouse: Warehouse) -> None:
    away = Warehouse("postgresql://ada:hidden-word@127.0.0.1:1/warehouse", warehouse.statements)

    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1/warehouse") as raised, inquire(away):
        pass

    assert "hidden-word" not in str(raised.value)
    assert isinstance(raised.value.__cause__, psycopg2.Error)
