"""A release started as a container of its image, as tightly shut as it will be where it serves."""

from __future__ import annotations

import logging
import math
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal
from uuid import uuid4

import psutil

from sluice.domain.errors import ReleaseError
from sluice.domain.release import Isolation, Release, Started, Stopped
from sluice.release import image
from sluice.release.command import run
from sluice.release.probe import Probe, wait

Runner = Literal["docker", "podman"]
#: How a started release is reached: by a port of this host, or, from within a container, in that container's network.
Reach = Literal["port", "own"]

#: Marks the containers of this module, and names the process that answers for each.
LABEL = "sluice.probe"
PORT = 3000
COMMAND_SECONDS = 60
#: After this long the task behind a container is over, whichever host it ran on.
LONGEST_SECONDS = 7200
SHUT = (
    "--read-only",
    # What BentoML writes: its home, its sockets, the counters of its workers.
    "--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=64m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=1g",
    "--pids-limit=256",
)
#: The user of the first process, and whether root could write: root, because permissions stop everybody else.
LOOK = "while read -r key id rest; do [ $key = Uid: ] && echo $id; done < /proc/1/status; echo > /.sluice-probe"
READ_ONLY = "Read-only file system"

log = logging.getLogger(__name__)


@contextmanager
def started(engine: Runner, release: Release, budget_seconds: float, reach: Reach = "port") -> Iterator[Probe]:
    """Start a release from its image alone (no registry, no database, no secrets), and remove it at the end.

    Args:
        engine: What runs it; knows the image.
        release: What to start; has an image.
        budget_seconds: How long it may take until it is ready.
        reach: How it is reached; `own` where this process is in a container itself, of the same engine.

    Raises:
        ReleaseError: The engine cannot start the container, or cannot look into it.
    """
    if release.image is None:
        raise ReleaseError("the release has no image to start a container of", release.bento, "build it first")
    remove_orphans(engine)
    name, begin = f"sluice-probe-{uuid4().hex[:12]}", time.monotonic()
    try:
        labelled = ["--label", f"{LABEL}={_owner()}", "--env", "BENTOML_DO_NOT_TRACK=true"]
        # Nobody but this machine reaches it, and the gate has no key.
        way = ["--publish", f"127.0.0.1::{PORT}"] if reach == "port" else ["--network", f"container:{platform.node()}"]
        published = [*way, "--env", "SLUICE_ACCESS=open"]
        # Never pulled: what is judged is what was built.
        detached = ["run", "--detach", "--pull=never", "--name", name]
        run([engine, *detached, *labelled, *published, *SHUT, release.image], COMMAND_SECONDS)
        url = _url(engine, name) if reach == "port" else f"http://127.0.0.1:{PORT}"
        ready = wait(url, partial(_runs, engine, name), begin, budget_seconds) if url else None
        how = f"started as a container of {release.image} by {engine}"
        if ready is None:
            how += f"; its log ends: {_log_end(engine, name)}"
            seen = None
        else:
            seen = isolation(engine, name, release.image)
        yield Probe(Started(url or "", ready, how, seen), stop=partial(_stop, engine, name))
    finally:
        _remove(engine, name)


def isolation(engine: Runner, name: str, of: str) -> Isolation:
    """What a running container may do, as tried out inside it.

    Args:
        engine: What runs it.
        name: Its name.
        of: Its image.

    Raises:
        ReleaseError: Nothing could be tried out in it, so nothing is known.
    """
    command = [engine, "exec", "--user", "0", name, "sh", "-c", LOOK]
    done = subprocess.run(  # noqa: S603  every argument is ours
        command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    user, refused = done.stdout.strip(), READ_ONLY in done.stderr
    if not user.isdecimal() or (done.returncode != 0 and not refused):
        raise ReleaseError(
            f"`{engine} exec` could not look into the container: {(done.stderr or done.stdout).strip()[-300:]}",
            of,
            "the image needs a shell",
        )
    return Isolation(user_id=int(user), read_only=refused, image_mb=image.megabytes(engine, of))


def remove_orphans(engine: Runner) -> list[str]:
    """Remove the containers of tasks that were killed before they could, and say which they were."""
    found = run([engine, "ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}"], COMMAND_SECONDS)
    removed = []
    for container in found.split():
        try:
            template = f'{{{{index .Config.Labels "{LABEL}"}}}}'
            owner = run([engine, "inspect", "--format", template, container], COMMAND_SECONDS).strip()
            if _alive(owner):
                continue
        except ReleaseError:
            continue  # another run has removed it in the meantime
        if _remove(engine, container):
            log.warning("removed container %s, which a killed run left behind", container[:12])
            removed.append(container)
    return removed


def _remove(engine: Runner, name: str) -> bool:
    try:
        run([engine, "rm", "--force", "--volumes", name], COMMAND_SECONDS)
    except ReleaseError as error:
        # What went wrong before counts for more, and the next run looks for it again.
        log.warning("the container %s was not removed: %s", name, error)
        return False
    return True


def _owner() -> str:
    """This process, so that another one can tell whether it still lives."""
    return f"{platform.node()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def _alive(owner: str) -> bool:
    host, process, began = owner.rsplit("/", 2)
    if host != platform.node():
        return time.time() - float(began) < LONGEST_SECONDS
    try:
        return abs(psutil.Process(int(process)).create_time() - float(began)) < 2
    except psutil.NoSuchProcess:
        return False


def _url(engine: Runner, name: str) -> str | None:
    """Where the container answers; None where it has ended already."""
    try:
        places = run([engine, "port", name, f"{PORT}/tcp"], COMMAND_SECONDS)
    except ReleaseError:
        return None
    found = re.search(r"127\.0\.0\.1:\d+", places)
    return f"http://{found[0]}" if found else None


def _runs(engine: Runner, name: str) -> bool:
    return run([engine, "inspect", "--format", "{{.State.Running}}", name], COMMAND_SECONDS).strip() == "true"


def _log_end(engine: Runner, name: str) -> str:
    done = subprocess.run(  # noqa: S603  every argument is ours
        [engine, "logs", "--tail", "20", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return done.stdout[-1000:]


def _stop(engine: Runner, name: str, patience: float) -> Stopped:
    begin = time.monotonic()
    run([engine, "stop", "--time", str(math.ceil(patience)), name], patience + COMMAND_SECONDS)
    seconds = time.monotonic() - begin
    code = int(run([engine, "inspect", "--format", "{{.State.ExitCode}}", name], COMMAND_SECONDS))
    # By SIGKILL: the engine's last word, or the memory's limit; either way it did not end by itself.
    return Stopped(seconds=None if code == 137 else seconds, exit_code=code)
