"""A replay: `python -m local.replay --use-case housing --scenario sudden --days 60`.

Carries a use case through simulated days in servers of its own, which are gone afterwards, and draws one page of what
the daily checks noticed, what followed, and what the gate decided. Nothing of the running stack is touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psycopg2
from psycopg2 import sql

from local import environment, health, postgres
from local.errors import StackError
from local.ports import free_port
from local.state import REPOSITORY
from sluice import registry
from sluice.domain.errors import SluiceError, SpecError
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.orchestration.replay.days import Days
    from sluice.orchestration.replay.outcome import Expectation
    from sluice.orchestration.replay.record import Day
    from sluice.orchestration.replay.stages import Place

SCENARIOS = REPOSITORY / "include" / "replays"
PASSWORD = "only-for-replays"  # noqa: S105 - guards nothing but an empty server on the loopback address
DATABASES = ("warehouse", "optuna")
START = 120.0
"""How long the model registry may take until it answers, in seconds."""
STOP = 20.0
"""How long it may take to stop."""

MARKS = {"alert": "alert", "approval": "would ask a person", "retrain": "retrains"}


@click.command(help=__doc__)
@click.option("--use-case", "name", default="housing", show_default=True)
@click.option("--scenario", default="sudden", show_default=True, help="A name in include/replays, or a path.")
@click.option("--days", default=60, show_default=True, type=click.IntRange(1, 1000))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--out", default="", help="Folder of the page and the table; var/replays/<use case>-<scenario> if empty.")
def command(name: str, scenario: str, days: int, seed: int, out: str) -> None:
    """Replay a scenario; ends with 1 where it did not show what it must."""
    try:
        judged = replay(name, scenario, days, seed, Path(out) if out else None)
    except SluiceError as error:
        click.echo(f"{click.style('error', fg='red')} {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("\nstopped; nothing is left behind", err=True)
        sys.exit(130)
    sys.exit(0 if all(each.met for each in judged) else 1)


def replay(name: str, named: str, days: int, seed: int, out: Path | None) -> tuple[Expectation, ...]:
    """Replay a scenario in servers of its own, and return what was expected beside what it showed.

    Args:
        name: Of the use case.
        named: The scenario's name, or its path.
        days: How many.
        seed: Of all that is drawn.
        out: Where the page and the table go.

    Raises:
        SluiceError: There is no such use case or scenario, or a stage failed.
    """
    # Local: what is refused should be refused at once.
    from sluice.ingestion import samples
    from sluice.orchestration.replay import scenario as scenarios

    path = scenarios.find(SCENARIOS, named)
    scenario = scenarios.read(path)
    if (first := scenario.first_day) is not None and days < first:
        what = f"{days} days end before anything changes, which is on day {first}"
        raise SpecError(what, str(path), f"replay more, for example DAYS={first + 40}")
    folder = environment.use_cases_folder()
    use_case = scenario.over(registry.one(folder, name))
    sample = samples.read(folder / name)
    out = out or Path(os.environ.get("SLUICE_VAR") or REPOSITORY / "var") / "replays" / f"{name}-{path.stem}"

    from threadpoolctl import threadpool_limits

    from sluice.orchestration.replay import days as world_days

    world = world_days.Days(use_case, sample, scenario, seed)
    click.echo(f"{scenario.title}: {use_case.title}, {days} days")
    begun = time.monotonic()
    with stoppable(), place() as where, threadpool_limits(limits=1):
        lived, judged = _go(where, world, days)
    page = write(out, world, lived, judged, time.monotonic() - begun)
    for each in judged:
        mark = click.style("ok", fg="green") if each.met else click.style("no", fg="red")
        click.echo(f"{mark}  {each.what}: {each.found}")
    click.echo(f"{page} ({time.monotonic() - begun:.0f} s)")
    return judged


def write(out: Path, world: Days, days: tuple[Day, ...], judged: tuple[Expectation, ...], seconds: float) -> Path:
    """Write the page and the table, and return the page's path."""
    from sluice.orchestration.replay import page, record

    out.mkdir(parents=True, exist_ok=True)
    (out / "days.csv").write_text(record.table(days), encoding="utf-8")
    path = out / "index.html"
    path.write_text(page.render(world, days, judged, seconds), encoding="utf-8")
    return path


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the signal to end be what Ctrl-C is, so that the servers end, too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def place() -> Iterator[Place]:
    """Servers and folders of a replay's own, gone when the block ends."""
    from sluice.adapters.migrations import migrate
    from sluice.adapters.objects import ObjectStore
    from sluice.adapters.tracking import Tracking
    from sluice.adapters.warehouse import Warehouse
    from sluice.orchestration.replay.stages import Place

    os.environ.update(environment.SILENT | {"MLFLOW_LOGGING_LEVEL": "WARNING"})
    with tempfile.TemporaryDirectory(prefix="sluice-replay-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        # The server may run under a system user, which must be able to enter.
        folder.chmod(0o755)
        with postgres.throwaway(folder, PASSWORD) as port, model_registry(folder) as url:
            dsns = {database: _create(port, database) for database in DATABASES}
            migrate(dsns["warehouse"], settings().sql / "migrations")
            yield Place(
                warehouse=Warehouse(dsns["warehouse"], settings().sql),
                tracking=Tracking(url),
                store=ObjectStore(f"file://{folder / 'store'}"),
                optuna_dsn=dsns["optuna"],
                service=settings().service,
                folder=folder,
            )


@contextmanager
def model_registry(folder: Path) -> Iterator[str]:
    """Run an MLflow server on a free port for a while, and say where.

    Raises:
        StackError: It does not answer.
    """
    kept = folder / "mlflow"
    kept.mkdir()
    port, log = free_port(), kept / "log"
    options = {
        "--backend-store-uri": f"sqlite:///{kept / 'mlflow.db'}",
        "--artifacts-destination": str(kept / "artifacts"),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
    }
    command = [sys.executable, "-m", "mlflow", "server", *(part for pair in options.items() for part in pair)]
    variables = environment.inherited(os.environ) | environment.SILENT | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=kept, env=variables, stdout=said, stderr=said)  # noqa: S603 - our own
    try:
        _await(process, url, log)
        yield url
    finally:
        _end(process)


def _go(where: Place, world: Days, days: int) -> tuple[tuple[Day, ...], tuple[Expectation, ...]]:
    from sluice.orchestration.replay import outcome
    from sluice.orchestration.replay.journey import Journey

    journey = Journey(where, world)
    lived = journey.run(days, tell)
    cool_down = world.use_case.monitoring.cool_down_days
    return lived, outcome.judge(world.scenario, lived[1:], journey.retrainings, cool_down)


def tell(day: Day) -> None:
    """One line about a day."""
    words = [f"{kind} {MARKS[check.response]}" for kind, check in day.checks.items() if check.alarmed]
    words += ["batch rejected"] if not day.accepted else []
    if day.training:
        words.append(f"version {day.training.version or 'none'}: {day.training.code}")
    click.echo(f"day {day.number:3d}  v{day.version}  {'; '.join(words) or 'quiet'}")


def _create(port: int, database: str) -> str:
    with closing(psycopg2.connect(postgres.dsn(port, PASSWORD, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return postgres.dsn(port, PASSWORD, database)


def _await(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        if health.page(f"{url}/health").ok:
            return
        time.sleep(0.2)
    raise StackError("the model registry does not answer", str(log), f"it ends: {log.read_text()[-500:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop a server with everything below it."""
    # Local: it reads the process table.
    import psutil

    from local.processes import end

    if process.poll() is None:
        leader = psutil.Process(process.pid)
        end([leader, *leader.children(recursive=True)], STOP)
    process.wait(STOP)


if __name__ == "__main__":
    command(prog_name="python -m local.replay")
