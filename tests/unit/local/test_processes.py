"""Processes: found whatever they made of themselves, ended however stubborn they are, and never a stranger."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local import processes
from local.state import State

Start = Callable[..., psutil.Process]
SLEEP = "import time; print('on', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path)
    made.records.mkdir(parents=True)
    made.workplace.mkdir(parents=True)
    return made


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(code: str = SLEEP, **options: object) -> psutil.Process:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
        started.append(process)
        assert process.stdout.readline() == "on\n"
        return psutil.Process(process.pid)

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def mark(state: State, program: str = "toy") -> dict[str, str]:
    return os.environ | {processes.MARK: str(state.root), processes.PROGRAM: program}


def test_a_marked_process_is_ours(state: State, start: Start) -> None:
    ours = start(env=mark(state))
    start(env=mark(State(state.root / "another")))
    start()

    assert processes.of_stack(state) == [ours]
    assert processes.of_program(state, "toy") == [ours]
    assert processes.of_program(state, "other") == []


def test_a_process_without_its_environment_is_known_by_where_it_is(state: State, start: Start) -> None:
    ours = start(cwd=state.workplace)

    assert processes.of_stack(state) == [ours]


def test_the_group_of_a_recorded_program_is_ours_after_its_leader_died(state: State, start: Start) -> None:
    leader = start(process_group=0)
    member = start(process_group=leader.pid)
    processes.write_record(state.records / "toy", leader.pid)
    leader.kill()
    leader.wait()

    assert processes.of_program(state, "toy") == [member]


def test_a_later_process_with_a_recorded_number_is_a_stranger(state: State, start: Start) -> None:
    stranger = start()
    record = processes.Record(stranger.pid, time.time() - 3600)
    (state.records / "toy").write_text(f'{{"pid": {record.pid}, "started": {record.started}}}')

    assert processes.of_stack(state) == []


def test_who_asks_is_spared(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state.workplace)

    assert processes.of_stack(state) == []


def test_a_process_that_does_not_want_to_end_is_killed(start: Start) -> None:
    willing, stubborn = start(), start(STUBBORN)

    assert processes.end([willing, stubborn], patience=0.5) == 2
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in (willing, stubborn))


def test_a_process_is_busy_while_it_has_children(start: Start) -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
    parent, idle = start(nested), start()

    [descendant] = parent.children()
    assert processes.busy([parent, idle]) == {parent.pid, descendant.pid}
    processes.end([descendant])
