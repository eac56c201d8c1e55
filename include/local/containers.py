"""The stack in containers: waits until all of it works, or says what does not.

`python -m local.containers <seconds> <command>`, where the command is compose's with its files.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from local.errors import StackError

LAST_LINES = 20
#: Services that bring something up to date and end.
ENDING = "-init"


@dataclass(frozen=True)
class Container:
    """A container of the stack, as the engine sees it."""

    name: str
    service: str
    state: str
    """`running`, `exited`, `restarting`, ..."""
    health: str
    """`healthy`, `starting`, `unhealthy`; empty where nobody asks it."""
    exit_code: int

    @property
    def works(self) -> bool:
        """Whether it does what it is there for."""
        if self.service.endswith(ENDING):
            return self.state == "exited" and self.exit_code == 0
        return self.state == "running" and self.health in ("healthy", "")

    @property
    def failed(self) -> bool:
        """Whether waiting for it is in vain."""
        return self.state in ("exited", "dead") and not self.works

    @property
    def words(self) -> str:
        """How it is."""
        ended = f" with {self.exit_code}" if self.state == "exited" else ""
        return f"{self.name}: {self.state}{ended}{', ' + self.health if self.health else ''}"


def look(compose: Sequence[str]) -> tuple[Container, ...]:
    """The containers of the stack.

    Args:
        compose: How compose is called, with its files.

    Raises:
        StackError: The engine or compose does not answer.
    """
    named = _said([*compose, "ps", "--all", "--quiet"]).split()
    if not named:
        return ()
    return tuple(sorted((_read(about) for about in json.loads(_said(["docker", "inspect", *named]))), key=_name))


def wait(
    compose: Sequence[str],
    seconds: float,
    say: Callable[[str], None],
    services: frozenset[str] | None = None,
) -> tuple[Container, ...]:
    """Wait until every container works.

    Args:
        compose: How compose is called, with its files.
        seconds: How long at most.
        say: Takes a line about each that begins to work.
        services: Of these services alone.

    Returns:
        The containers.

    Raises:
        StackError: One ended, or does not work in time.
    """
    begin, known = time.monotonic(), set[str]()
    while True:
        found = [each for each in look(compose) if services is None or each.service in services]
        for each in found:
            if each.works and each.name not in known:
                known.add(each.name)
                say(f"  {each.name:<40} {time.monotonic() - begin:5.1f} s")
        bad = [each for each in found if each.failed]
        waiting = [each for each in found if not each.works]
        if found and not waiting:
            return tuple(found)
        if bad or time.monotonic() - begin > seconds:
            raise _error(bad or waiting, seconds)
        time.sleep(1)


def log(container: str, lines: int | None = None) -> str:
    """What a container has said."""
    tail = [] if lines is None else ["--tail", str(lines)]
    done = subprocess.run(  # noqa: S603  every argument is ours
        ["docker", "logs", *tail, container],  # noqa: S607
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout


def _error(bad: Sequence[Container], seconds: float) -> StackError:
    if not bad:
        return StackError(f"there are no containers after {seconds:g} s", action="run make compose-up")
    told = "\n".join(f"    {line}" for line in log(bad[0].name, LAST_LINES).splitlines())
    words = "; ".join(each.words for each in bad)
    return StackError(f"{words}\n{told}\n", action=f"read its log: docker logs {bad[0].name}")


def _read(about: dict[str, Any]) -> Container:
    state = about["State"]
    return Container(
        name=about["Name"].lstrip("/"),
        service=about["Config"]["Labels"].get("com.docker.compose.service", ""),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=int(state["ExitCode"]),
    )


def _name(container: Container) -> str:
    return container.name


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  every argument is ours
    if done.returncode:
        complaint = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StackError(f"`{' '.join(command[:2])}` failed: {complaint[-1] if complaint else 'without a word'}")
    return done.stdout


if __name__ == "__main__":
    try:
        wait(sys.argv[2:], float(sys.argv[1]), print)
    except StackError as error:
        sys.exit(f"error {error}")
