"""Supervision: supervisord keeps the programs running; its configuration, and the talk with it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from local import environment
from local.errors import StackError
from local.processes import PROGRAM, read_record, write_record
from local.programs import Program
from local.state import REPOSITORY, State, write_private

COMMENT = re.compile(r"\s[;#]|\n")
ALIVE = ("STARTING", "RUNNING", "BACKOFF", "STOPPING")
SUPERVISOR = "supervisord"
LAUNCHER = f"{REPOSITORY / 'include'}{os.pathsep}{REPOSITORY / 'plugins'}"
"""PYTHONPATH of the launcher; what it becomes has its own."""


@dataclass(frozen=True)
class Process:
    """What the supervisor knows about a program."""

    state: str
    pid: int
    started: float

    @property
    def alive(self) -> bool:
        """Whether there is a process, or will be one again by itself."""
        return self.state in ALIVE


class Supervisor:
    """The supervisor of one stack, running or not."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._configuration = state.run / "supervisord.conf"

    def processes(self) -> dict[str, Process]:
        """The programs it knows, empty when it does not run."""
        try:
            with self._talk() as remote:
                rows = remote.getAllProcessInfo()
        except OSError:
            return {}
        return {row["name"]: Process(row["statename"], row["pid"], float(row["start"])) for row in rows}

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            with self._talk() as remote:
                remote.getState()
        except OSError:
            return False
        return True

    def configure(self, programs: Iterable[Program]) -> list[str]:
        """Run with these programs: start it, or have it drop and restart what changed.

        Returns:
            Names of programs that were stopped because their configuration is another one now.

        Raises:
            StackError: It does not start.
        """
        write_private(self._configuration, configuration(self._state, programs))
        if not self.is_up():
            self._start()
            return []
        with self._talk() as remote:
            added, changed, removed = remote.reloadConfig()[0]
            for name in (*changed, *removed):
                remote.stopProcessGroup(name)
                remote.removeProcessGroup(name)
            for name in (*added, *changed):
                remote.addProcessGroup(name)
        return [*changed, *removed]

    def start(self, name: str) -> None:
        """Start a program, unless it runs; does not wait for it to work."""
        try:
            with self._talk() as remote:
                remote.startProcess(name, False)
        except Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise StackError(f"{name} cannot be started: {fault.faultString}", str(self._configuration)) from fault

    def stop(self, names: Iterable[str], patience: float) -> None:
        """Stop programs together, and wait for them."""
        names = list(names)
        with self._talk() as remote:
            for name in names:
                try:
                    remote.stopProcess(name, False)
                except Fault as fault:
                    if "NOT_RUNNING" not in fault.faultString and "BAD_NAME" not in fault.faultString:
                        raise
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            known = self.processes()
            if not any(name in known and known[name].alive for name in names):
                return
            time.sleep(0.05)

    def shutdown(self) -> None:
        """End it, with whatever still runs under it."""
        record = read_record(self._state.records / SUPERVISOR)
        try:
            with self._talk() as remote:
                remote.shutdown()
        except OSError:
            return
        if record:
            with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                psutil.Process(record.pid).wait(timeout=90)

    def _start(self) -> None:
        pidfile, log = self._state.run / "supervisord.pid", self._state.log / "supervisord.log"
        for stale in (self._state.control, pidfile):
            stale.unlink(missing_ok=True)
        variables = environment.inherited(os.environ) | environment.common(self._state) | {PROGRAM: SUPERVISOR}
        # It detaches itself, so that Ctrl-C in the terminal that started the stack is not meant for it.
        done = subprocess.run(  # noqa: S603
            (sys.executable, "-m", "supervisor.supervisord", "--configuration", str(self._configuration)),
            capture_output=True,
            text=True,
            cwd=self._state.workplace,
            env=variables,
            check=False,
        )
        deadline = time.monotonic() + 15
        while not self.is_up():
            if done.returncode or time.monotonic() > deadline:
                said = " ".join((done.stderr or done.stdout).strip().splitlines()[-1:])
                raise StackError(f"the supervisor does not start: {said}", str(log), "read its log")
            time.sleep(0.05)
        write_record(self._state.records / SUPERVISOR, int(pidfile.read_text()))

    @contextmanager
    def _talk(self) -> Iterator[Any]:
        """Its remote interface. One connection per talk: the transport is not safe between threads."""
        transport = SupervisorTransport(None, None, f"unix://{self._state.control}")
        try:
            yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
        finally:
            transport.close()


def configuration(state: State, programs: Iterable[Program]) -> str:
    """The supervisor's configuration file."""
    sections: dict[str, Mapping[str, object]] = {
        "unix_http_server": {"file": state.control, "chmod": "0700"},
        "supervisord": {
            "logfile": state.log / "supervisord.log",
            "logfile_maxbytes": "5MB",
            "logfile_backups": 2,
            "pidfile": state.run / "supervisord.pid",
            "childlogdir": state.log,
            # Said aloud, because it warns of root otherwise.
            **({"user": "root"} if os.getuid() == 0 else {}),
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
        **{f"program:{program.name}": _section(state, program) for program in programs},
    }
    return "\n\n".join(
        "\n".join([f"[{title}]", *(f"{key} = {_escaped(value)}" for key, value in section.items())])
        for title, section in sections.items()
    )


def _section(state: State, program: Program) -> dict[str, object]:
    launcher = (sys.executable, "-m", "local.launch", program.name, program.python_path)
    own = {PROGRAM: program.name, "PYTHONPATH": LAUNCHER}
    variables = environment.common(state) | dict(program.environment) | own
    return {
        "command": shlex.join((*launcher, *program.command)),
        "directory": state.workplace,
        "environment": ",".join(f"{name}={_quoted(value)}" for name, value in sorted(variables.items())),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 2,
        "startretries": 10,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.patience,
        "stopasgroup": str(program.stop_group).lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": state.log / f"{program.name}.log",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 3,
    }


def _escaped(value: object) -> str:
    text = str(value)
    if COMMENT.search(text):
        raise StackError("supervisord would read a part of this as a comment", text, "use a folder with another name")
    return text.replace("%", "%%")


def _quoted(value: str) -> str:
    """A value in quotation marks, for which supervisord knows no escape; it also strips them from its ends."""
    if '"' in value or "\n" in value or value != value.strip("'"):
        raise StackError("a setting holds quotation marks or a line break", value, "use another value")
    return f'"{value}"'
