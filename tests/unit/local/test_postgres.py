"""The database server: data of another version or another user is refused in one line."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest

from local import postgres
from local.errors import StackError
from tests.conftest import PASSWORD, Server


def test_data_of_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")

    with pytest.raises(StackError, match="the data was written by PostgreSQL 16, and the server here is 18"):
        postgres.locate(tmp_path)


def test_the_server_listens_on_this_machine_only(tmp_path: Path) -> None:
    command = postgres.locate(tmp_path / "data").command(5555)

    assert "listen_addresses=127.0.0.1" in command
    assert "port=5555" in command


def test_a_password_is_needed(postgres_server: Server) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(postgres.dsn(postgres_server.port, "guessed", "postgres"))


def test_missing_databases_are_made_and_present_ones_kept(postgres_server: Server) -> None:
    for _ in range(2):
        postgres.create_databases(postgres_server.port, PASSWORD)

    for name in postgres.DATABASES:
        psycopg2.connect(postgres_server.dsn(name)).close()


def test_an_interrupted_initialisation_leaves_no_data(tmp_path: Path) -> None:
    cluster = postgres.locate(tmp_path / "data")
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "half").touch()

    postgres.initialise(cluster, PASSWORD)

    assert (tmp_path / "data" / "PG_VERSION").read_text().strip() == "18"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_throwaway_server_is_gone_when_it_is_not_needed(tmp_path: Path) -> None:
    with postgres.throwaway(tmp_path, PASSWORD) as port:
        left_open = psycopg2.connect(postgres.dsn(port, PASSWORD, "postgres"))

    with pytest.raises(psycopg2.OperationalError, match="refused"):
        psycopg2.connect(postgres.dsn(port, PASSWORD, "postgres"))
    left_open.close()


def test_a_server_that_does_not_start_names_its_log(tmp_path: Path) -> None:
    cluster = postgres.locate(tmp_path / "data")
    postgres.initialise(cluster, PASSWORD)
    (cluster.data / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(StackError, match=r"does not answer.*server\.log"), postgres.throwaway(tmp_path, PASSWORD):
        pass
    assert "no_such_setting" in (tmp_path / "server.log").read_text()
