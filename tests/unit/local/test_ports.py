"""Ports: the usual ones, the next free ones, the ones of the last start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import ports
from local.errors import StackError
from local.state import REPOSITORY, State

USUAL = {"airflow": 8080, "mlflow": 5000, "serving_housing": 3000}


def free_but(*taken: int):
    return lambda port: port not in taken


def test_the_usual_ports_where_they_are_free() -> None:
    choice = ports.choose(USUAL, {}, {}, free_but())

    assert choice.ports == USUAL
    assert choice.notes == ()


def test_the_next_free_port_is_taken_and_said() -> None:
    choice = ports.choose(USUAL, {}, {}, free_but(8080, 8081))

    assert choice.ports["airflow"] == 8082
    assert choice.notes == ("port 8080 is taken, so airflow uses 8082 (choose one with SLUICE_PORT_AIRFLOW=)",)


def test_the_port_of_the_last_start_is_kept_without_a_word() -> None:
    choice = ports.choose(USUAL, {"airflow": 8082}, {}, free_but(8080))

    assert choice.ports["airflow"] == 8082
    assert choice.notes == ()


def test_a_new_program_does_not_get_the_port_that_another_had() -> None:
    choice = ports.choose(USUAL, {"mlflow": 8080}, {}, free_but())

    assert choice.ports == {"airflow": 8081, "mlflow": 8080, "serving_housing": 3000}


def test_a_requested_port_comes_first() -> None:
    choice = ports.choose(USUAL, {"airflow": 8082}, {"mlflow": 8082}, free_but())

    assert choice.ports["mlflow"] == 8082
    assert choice.ports["airflow"] == 8083


def test_a_requested_port_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(StackError, match=r"port 9000 for airflow is taken .* -> stop that program, or ask for another"):
        ports.choose(USUAL, {}, {"airflow": 9000}, free_but(9000))


def test_two_programs_cannot_have_one_port() -> None:
    with pytest.raises(StackError, match="port 9000 was asked for twice"):
        ports.choose(USUAL, {}, {"airflow": 9000, "mlflow": 9000}, free_but())


def test_an_unknown_program_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(StackError, match=r"SLUICE_PORT_ARIFLOW names no program .* SLUICE_PORT_AIRFLOW"):
        ports.choose(USUAL, {}, {"ariflow": 9000}, free_but())


@pytest.mark.parametrize("text", ["http", "-1", "0", "65536", ""])
def test_what_is_not_a_port_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="is not a port"):
        ports.requests({"SLUICE_PORT_AIRFLOW": text})


def test_requests_are_read_from_the_environment() -> None:
    assert ports.requests({"SLUICE_PORT_AIRFLOW": "9090", "HOME": "/"}) == {"airflow": 9090}


def test_a_port_of_a_running_program_is_kept_and_one_of_a_stopped_program_is_not(
    tmp_path: Path, listener: socket.socket
) -> None:
    state, port = State(tmp_path), listener.getsockname()[1]
    ports.remember(state, ports.Choice({"postgres": port}))

    assert ports.resolve(state, [], running={"postgres"}).ports["postgres"] == port
    assert ports.resolve(state, [], running={"mail"}).ports["postgres"] != port


@pytest.mark.parametrize(
    ("name", "program"),
    [("airflow", "api-server"), ("inbox", "mail"), ("mlflow", "mlflow"), ("serving_my_case", "serving-my_case")],
)
def test_every_port_is_held_by_a_program(name: str, program: str) -> None:
    assert ports.holder(name) == program


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104
        yield server


def test_a_port_that_something_listens_on_everywhere_is_not_free(listener: socket.socket) -> None:
    assert not ports.is_free_here(listener.getsockname()[1])


def test_a_port_is_free_again_after_its_listener_is_gone(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()

    assert ports.is_free_here(port)


#: Takes a port, says which, and holds its block until it is told to end.
TAKER = "from local.ports import free_port; print(free_port(), flush=True); input()"


@contextmanager
def taker() -> Iterator[int]:
    """A port that another process was given, as long as that lives."""
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}/plugins"}
    command = [sys.executable, "-c", TAKER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.communicate("\n")


def block_of(port: int) -> int:
    return port - port % ports.BLOCKS.step


def test_no_two_processes_are_given_ports_of_one_block() -> None:
    own = {ports.free_port() for _ in range(3)}

    with taker() as first, taker() as second:
        blocks = {block_of(port) for port in (first, second, *own)}

    assert len(own) == 3
    assert len(blocks) == 3


def test_a_port_that_is_listened_on_is_not_given_again() -> None:
    port = ports.free_port()

    with socket.create_server(("127.0.0.1", port)):
        given = {ports.free_port() for _ in range(ports.BLOCKS.step)}

    assert given
    assert port not in given
