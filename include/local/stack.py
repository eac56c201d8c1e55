"""The stack as a whole: up, down, and how it is."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from local import credentials, environment, ports, postgres, processes, tables, workers
from local.addresses import Addresses, publish
from local.errors import StackError
from local.health import Health
from local.programs import Program, programs
from local.state import State
from local.steps import Step, perform
from local.supervision import Process, Supervisor

START_TIMEOUT = 240.0
"""How long one program may take until it works, in seconds; the first start on a slow disk is the longest."""

LIVES = 3
"""How often a program may end and be started again before starting the stack gives it up."""

Said = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """How one program is."""

    program: Program
    process: Process | None
    health: Health


class Stack:
    """The programs of one state folder."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.supervisor = Supervisor(state)
        self._abandoned = threading.Event()

    def up(self, say: Said, waiting: Callable[[list[str]], None]) -> Addresses:
        """Start whatever does not run, in order, and wait until all of it works.

        Args:
            say: Takes each line about what happened.
            waiting: Takes the names of what is being waited for, whenever they change.

        Raises:
            StackError: A program does not start, or a requested port is taken.
        """
        self.state.create()
        with self._alone():
            return self._up(say, waiting)

    def down(self, say: Said) -> None:
        """Stop everything; what is stopped already is no error."""
        self.state.run.mkdir(parents=True, exist_ok=True)
        with self._alone():
            known = self.supervisor.processes()
            for names in _stages(list(known)):
                self.supervisor.stop(names, patience=70)
            self.supervisor.shutdown()
            left = processes.end(processes.of_stack(self.state))
            shutil.rmtree(self.state.control.parent, ignore_errors=True)
            self.state.endpoints.unlink(missing_ok=True)
            for path in self.state.records.glob("*"):
                path.unlink()
        say("the stack is down" if known or left else "the stack was down")

    @contextmanager
    def databases(self, alone: bool = False) -> Iterator[Addresses]:
        """The stack's databases; while it is down, their server runs for as long as the block lasts.

        Args:
            alone: Whether nobody else may use them: then the stack must be down, and what is not there is made.

        Raises:
            StackError: The stack is up though nobody else may use them, or there are none.
        """
        is_up = self.supervisor.is_up()
        if alone and (is_up or processes.of_stack(self.state)):
            raise StackError("the stack is up, and its databases are in use", str(self.state.root), "run make down")
        if not alone and not (self.state.postgres / "PG_VERSION").exists():
            raise StackError("there is no database", str(self.state.postgres), "run make up")
        if is_up:
            names = use_cases()
            yield Addresses(ports.remembered(self.state, names), credentials.load(self.state), names)
            return
        self.state.create()
        with self._alone():
            held = credentials.load(self.state)
            cluster = postgres.locate(self.state.postgres)
            postgres.initialise(cluster, held.postgres)
            log, marks = self.state.log / "postgres-alone.log", {processes.MARK: str(self.state.root)}
            with postgres.running(cluster, held.postgres, log, marks=marks) as port:
                postgres.create_databases(port, held.postgres)
                yield Addresses({"postgres": port}, held, ())

    def status(self) -> list[Row]:
        """How every program is, asked all at once.

        Raises:
            StackError: There is no stack in the folder, or its supervisor was killed.
        """
        if not self.state.records.exists():
            raise StackError("there is no stack yet", str(self.state.root), "run make up")
        if not self.supervisor.is_up() and processes.of_stack(self.state):
            raise StackError(
                "the supervisor was killed, and its programs go on without it", action="run make up or make down"
            )
        known = self.supervisor.processes()
        names = use_cases()
        chosen = ports.remembered(self.state, names)
        addresses = Addresses(chosen, credentials.load(self.state), names)
        listed = programs(self.state, addresses, postgres.locate(self.state.postgres))
        with ThreadPoolExecutor(len(listed)) as pool:
            return list(pool.map(lambda program: _row(program, known.get(program.name)), listed))

    def _up(self, say: Said, waiting: Callable[[list[str]], None]) -> Addresses:
        if not self.supervisor.is_up() and (left := processes.end(processes.of_stack(self.state))):
            say(f"ended {left} processes that a killed supervisor left behind")
        addresses = self._addresses(say)
        cluster = postgres.locate(self.state.postgres)
        workers.prepare(self.state)
        listed = programs(self.state, addresses, cluster)
        before = self.supervisor.processes()
        for name in self.supervisor.configure(listed):
            say(f"{name} starts again, because its settings changed")
        preparations = self._preparations(addresses, cluster)
        steps = [*preparations, *(self._step(program) for program in listed)]
        started = time.monotonic()
        shown = {program.name for program in listed if not before.get(program.name) or not before[program.name].alive}

        def done(step: Step, note: str, seconds: float) -> None:
            if step.name in shown:
                say(f"  {step.name:<18} {seconds:5.1f} s  {note}")

        perform(steps, done, waiting, self._abandoned.set)
        publish(self.state, addresses)
        say(f"the stack is up ({time.monotonic() - started:.0f} s)" if shown else "the stack is up already")
        return addresses

    def _addresses(self, say: Said) -> Addresses:
        names = use_cases()
        running = {name for name, process in self.supervisor.processes().items() if process.state == "RUNNING"}
        choice = ports.resolve(self.state, names, running)
        ports.remember(self.state, choice)
        for note in choice.notes:
            say(note)
        return Addresses(choice.ports, credentials.load(self.state), names)

    def _step(self, program: Program) -> Step:
        def start() -> str:
            self.supervisor.start(program.name)
            self._wait_for(program)
            return program.url

        return Step(program.name, program.after, start)

    def _wait_for(self, program: Program) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        health = Health(False)
        lives: set[int] = set()
        while time.monotonic() < deadline and len(lives) <= LIVES and not self._abandoned.is_set():
            process = self.supervisor.processes().get(program.name)
            if process is None or process.state in ("FATAL", "STOPPED"):
                break
            lives |= {process.pid} - {0}
            health = program.check(process.started)
            if health.ok and process.state == "RUNNING":
                return
            time.sleep(0.3)
        log = self.state.log / f"{program.name}.log"
        raise StackError(
            f"{program.name} does not work: {health.note or 'it ended'}; its log ends with: {_last_line(log)}",
            str(log),
            "read its log",
        )

    def _preparations(self, addresses: Addresses, cluster: postgres.Cluster) -> list[Step]:
        port, password = addresses.ports["postgres"], addresses.credentials.postgres

        def databases() -> str:
            postgres.create_databases(port, password)
            return ""

        def cluster_files() -> str:
            postgres.initialise(cluster, password)
            return ""

        return [
            Step("cluster", (), cluster_files),
            Step("databases", ("postgres",), databases),
            Step("airflow tables", ("databases",), lambda: tables.airflow(self.state, addresses)),
            Step("mlflow tables", ("databases",), lambda: tables.mlflow(self.state, addresses)),
            Step("warehouse tables", ("databases",), lambda: tables.warehouse(addresses)),
        ]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else starts or stops this stack meanwhile."""
        with (self.state.run / "lock").open("w") as file:
            try:
                flock(file, LOCK_EX | LOCK_NB)
            except BlockingIOError as error:
                raise StackError(
                    "the stack is being started or stopped by another command", str(self.state.root), "wait for it"
                ) from error
            yield


def use_cases() -> tuple[str, ...]:
    """Names of the use cases, which are the folders that hold a spec."""
    return tuple(sorted(path.parent.name for path in environment.use_cases_folder().glob("*/use_case.yaml")))


def _last_line(log: Path) -> str:
    if not log.exists():
        return "nothing"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"


def _row(program: Program, process: Process | None) -> Row:
    if process is None or not process.alive:
        return Row(program, None, Health(False, "stopped"))
    return Row(program, process, program.check(process.started))


def _stages(names: list[str]) -> list[list[str]]:
    """Programs in the order in which they are stopped: who uses something before what it uses."""
    ground = ("postgres", "redis"), ("mlflow", "mail", "api-server")
    base = [name for group in ground for name in group]
    return [[name for name in names if name not in base], *([n for n in names if n in group] for group in ground[::-1])]
