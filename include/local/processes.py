"""Processes of the stack: which are ours, and how to end those that outlived what started them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local.state import State, read_json

MARK = "SLUICE_STACK"
"""Environment variable that every process of a stack inherits; its value is the state folder."""
PROGRAM = "SLUICE_PROGRAM"
"""Environment variable that names the program a process belongs to."""
SAME_START = 5.0
"""Two readings of one process's start differ by less than this, in seconds."""


@dataclass(frozen=True)
class Record:
    """A process, told apart from a later one with the same number by when it started."""

    pid: int
    started: float


def write_record(path: Path, pid: int) -> None:
    """Note down which process a program is."""
    record = Record(pid, psutil.Process(pid).create_time())
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(record)), encoding="utf-8")
    draft.replace(path)


def read_record(path: Path) -> Record | None:
    """The process that was noted down, alive or not."""
    content = read_json(path)
    return Record(**content) if content else None


def of_program(state: State, program: str) -> list[psutil.Process]:
    """What is alive of one program: the recorded process, its group, and what carries its mark."""
    record = read_record(state.records / program)
    return _ours([record] if record else [], lambda process: _mark(process) == (str(state.root), program))


def of_stack(state: State) -> list[psutil.Process]:
    """Everything that is alive of a stack."""
    records = [record for path in state.records.glob("*") if (record := read_record(path))]
    # A process that gives itself a title overwrites its environment, but stays where it was started.
    return _ours(
        records, lambda process: _mark(process)[0] == str(state.root) or _folder(process) == str(state.workplace)
    )


def busy(processes: Iterable[psutil.Process]) -> set[int]:
    """Pids of those that have children, and of the children."""
    pids: set[int] = set()
    for process in processes:
        try:
            children = process.children(recursive=True)
        except psutil.NoSuchProcess:
            continue
        if children:
            pids |= {process.pid, *(child.pid for child in children)}
    return pids


def end(processes: list[psutil.Process], patience: float = 10.0) -> int:
    """Ask processes to end, and kill those that do not.

    Args:
        processes: What should end.
        patience: How long to wait before killing, in seconds.

    Returns:
        How many there were.
    """
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(processes)


def _ours(records: list[Record], is_marked: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in _alive():
        if process.pid not in spared and (_is_recorded(process, records) or is_marked(process)):
            found[process.pid] = process
    for process in list(found.values()):
        with suppress(psutil.NoSuchProcess):
            found |= {child.pid: child for child in process.children(recursive=True)}
    return [process for pid, process in found.items() if pid not in spared]


def _alive() -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE:
            yield process


def _is_recorded(process: psutil.Process, records: list[Record]) -> bool:
    """Whether it is a recorded process or of its group: a supervised program leads a group of its own number."""
    try:
        group, started = os.getpgid(process.pid), process.create_time()
    except (psutil.Error, OSError):
        return False
    for record in records:
        if process.pid == record.pid:
            return abs(started - record.started) < SAME_START
        if group == record.pid:
            # A number is not given out again while a group of that number lives.
            return started > record.started - SAME_START
    return False


def _mark(process: psutil.Process) -> tuple[str, str]:
    """The stack and the program that a process says it belongs to; empty where it says nothing."""
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return "", ""
    return environment.get(MARK, ""), environment.get(PROGRAM, "")


def _folder(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except (psutil.Error, OSError):
        return ""
