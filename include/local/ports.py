"""Ports: the usual ones where they are free, the next free ones where not, the same ones at every start.

What runs for a while only, as the servers of tests and benchmarks do, gets its port from a block of its process.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path

from local.errors import StackError
from local.state import State, read_json, write_private

USUAL = {"airflow": 8080, "mlflow": 5000, "postgres": 55432, "smtp": 2525, "inbox": 8025, "watcher": 8790}
FIRST_SERVING = 3000
SERVING = "serving_"
PREFIX = "SLUICE_PORT_"

BLOCKS = range(20_000, 32_000, 400)
"""Where blocks begin: below 32768, from where on Linux gives ports to connections, and to whoever asks for any."""


@dataclass(frozen=True)
class Choice:
    """The port of every program, and a line about each that is not the one to be expected."""

    ports: Mapping[str, int]
    notes: tuple[str, ...] = ()


def expected(use_cases: Iterable[str]) -> dict[str, int]:
    """The port that each program has where nothing else wants it."""
    serving = {f"{SERVING}{name}": FIRST_SERVING + index for index, name in enumerate(use_cases)}
    return USUAL | serving


def choose(
    usual: Mapping[str, int],
    kept: Mapping[str, int],
    requested: Mapping[str, int],
    is_free: Callable[[int], bool],
) -> Choice:
    """Choose a port for every program.

    Args:
        usual: Programs and their usual ports.
        kept: Ports of the last start, or of programs that run now.
        requested: Ports that a person asked for.
        is_free: Whether a port can be listened on, or is held by the stack itself.

    Raises:
        StackError: A requested port is taken, or two programs were given the same one.
    """
    chosen: dict[str, int] = {}
    notes: list[str] = []
    for name, port in requested.items():
        if name not in usual:
            raise StackError(f"{PREFIX}{name.upper()} names no program", action=f"use one of: {_variables(usual)}")
        if port in chosen.values():
            raise StackError(f"port {port} was asked for twice", action=f"change {PREFIX}{name.upper()}")
        if not is_free(port):
            raise StackError(
                f"port {port} for {name} is taken by another program",
                f"{PREFIX}{name.upper()}={port}",
                "stop that program, or ask for another port, or leave the variable out",
            )
        chosen[name] = port
    for name in sorted(usual, key=lambda n: n not in kept):
        if name in chosen:
            continue
        wanted = kept.get(name, usual[name])
        port = _next_free(wanted, chosen.values(), is_free)
        if port != wanted:
            notes.append(f"port {wanted} is taken, so {name} uses {port} (choose one with {PREFIX}{name.upper()}=)")
        chosen[name] = port
    return Choice({name: chosen[name] for name in usual}, tuple(notes))


def resolve(state: State, use_cases: Iterable[str], running: Container[str]) -> Choice:
    """Choose the ports of a stack.

    Args:
        state: The stack's state folder.
        use_cases: Names of the use cases that are served.
        running: Names of the programs that run now, and so hold the ports that they had last.
    """
    kept = read_json(_memory(state))
    own = {port for name, port in kept.items() if holder(name) in running}
    usual = expected(use_cases)
    return choose(usual, kept, requests(os.environ), lambda port: port in own or is_free_here(port))


def holder(name: str) -> str:
    """The program that listens on the port of that name."""
    if name.startswith(SERVING):
        return f"serving-{name.removeprefix(SERVING)}"
    return {"airflow": "api-server", "smtp": "mail", "inbox": "mail"}.get(name, name)


def remember(state: State, choice: Choice) -> None:
    """Keep the ports for the next start."""
    path = _memory(state)
    write_private(path, json.dumps(read_json(path) | dict(choice.ports), indent=2))


def remembered(state: State, use_cases: Iterable[str]) -> dict[str, int]:
    """The ports of the last start."""
    kept = read_json(_memory(state))
    return {name: kept.get(name, port) for name, port in expected(use_cases).items()}


def _memory(state: State) -> Path:
    return state.root / "ports.json"


def requests(environment: Mapping[str, str]) -> dict[str, int]:
    """The ports that a person asks for, for example `SLUICE_PORT_AIRFLOW=9090`.

    Raises:
        StackError: A value is not a port number.
    """
    asked: dict[str, int] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise StackError(f"{text!r} is not a port", variable, "use a number from 1024 to 65535")
        asked[variable.removeprefix(PREFIX).lower()] = int(text)
    return asked


def is_free_here(port: int) -> bool:
    """Whether nothing listens on the port and it can be listened on."""
    with socket.socket() as visitor:
        visitor.settimeout(0.5)
        if visitor.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as host:
        # Without this, connections that were closed a minute ago would count as taken.
        host.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            host.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that stays free until its caller listens on it, because no other process is given it here.

    Raises:
        StackError: There is none left.
    """
    for port in islice(_block(), BLOCKS.step):
        if is_free_here(port):
            return port
    raise StackError("all ports of this process are taken", action="end what it has started and not stopped")


@cache
def _block() -> Iterator[int]:
    """The ports of this process, again and again: a block is whose socket holds its first port."""
    for first in BLOCKS:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", first))
        except OSError:
            holder.close()
        else:
            # It stays open until the process ends.
            holder.detach()
            return cycle(range(first + 1, first + BLOCKS.step))
    raise StackError("all blocks of ports are taken", action="end what earlier tests or benchmarks left behind")


def _next_free(first: int, taken: Iterable[int], is_free: Callable[[int], bool]) -> int:
    occupied = set(taken)
    for port in range(first, min(first + 500, 65536)):
        if port not in occupied and is_free(port):
            return port
    raise StackError(f"no free port from {first} on", action=f"choose one with {PREFIX}<PROGRAM>=")


def _variables(names: Iterable[str]) -> str:
    return ", ".join(PREFIX + name.upper() for name in names)
