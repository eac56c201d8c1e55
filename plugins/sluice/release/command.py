"""Commands: another program run to its end, and its last words kept when it fails."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sluice.domain.errors import ReleaseError

#: How much of what a failed program said goes into the error; the log has all of it.
LAST_LINES = 6
LONGEST_LINE = 200

log = logging.getLogger(__name__)


def run(
    command: Sequence[str],
    seconds: float,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    name: str = "",
    trailer: str = "",
) -> str:
    """Run a program, and return what it wrote to its standard output.

    Args:
        command: The program and its arguments.
        seconds: After which it and all that it started are ended.
        folder: Where it runs; here if absent.
        environment: Its variables beside those of this process.
        name: What it is called in errors; the program and its first argument if absent.
        trailer: From where on what it says of a failure tells nothing of the cause.

    Raises:
        ReleaseError: It is not there, fails, or takes too long; holds its last words.
    """
    called = name or " ".join(command[:2])
    action = "see the task's log"
    try:
        process = subprocess.Popen(  # noqa: S603  every argument is ours
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ReleaseError(
            f"`{called}` cannot be run: {error.strerror}", command[0], "install it, or name it in PATH"
        ) from error
    try:
        said, complained = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(f"`{called}` took over {seconds:g} s", action=action) from error
    finally:
        # Whatever of it is left, also when this task is told to end meanwhile.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode != 0:
        log.error("%s", complained or said)
        telling = complained.split(trailer, 1)[0] if trailer else complained
        raise ReleaseError(f"`{called}` failed: {last_words(telling) or last_words(said)}", action=action)
    return said


def last_words(said: str) -> str:
    """The end of what a program said, in one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip(" -")]
    return " | ".join(_short(line) for line in lines[-LAST_LINES:])


def _short(line: str) -> str:
    """A line without its middle, if it is long: builders say what they ran first and how it failed last."""
    half = LONGEST_LINE // 2
    return line if len(line) <= LONGEST_LINE else f"{line[:half]}...{line[-half:]}"
