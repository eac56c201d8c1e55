"""The command line of the local stack: `python -m local <command>`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local import environment, outcome, summary
from local import fields as form
from local import served as ledger
from local.addresses import Addresses, published
from local.commands import Commands
from local.demo import STAGES, Data, Demo, source
from local.errors import StackError
from local.following import follow
from local.runs import Airflow, Run
from local.stack import Row, Stack
from local.state import REPOSITORY, state
from local.summary import Screen
from sluice import registry
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.release.ledger import moves

console = Console(highlight=False)

#: So many moves are shown beside what serves.
LAST_MOVES = 5
#: Stands for every use case there is.
ALL = "all"


@click.group(cls=Commands, help=__doc__)
def commands() -> None:
    """Hold the commands."""


@commands.command()
def up() -> None:
    """Start everything that does not run, and wait until it works."""
    stack = Stack(state())
    summary.logins(console, start(stack))


@commands.command()
def down() -> None:
    """Stop everything; the data stays."""
    with console.status("stopping"):
        Stack(state()).down(console.print)


@commands.command()
def status() -> None:
    """Show every program: whether it works, since when, and where."""
    table = Table("program", "health", "uptime", "pid", "address", box=None)
    for row in Stack(state()).status():
        table.add_row(*_cells(row))
    console.print(table)


@commands.command()
@click.argument("service", required=False)
@click.option("--lines", default=20, show_default=True, help="How many past lines to begin with.")
def logs(service: str | None, lines: int) -> None:
    """Follow the logs of all programs, or of one."""
    folder = state().log
    files = sorted(folder.glob(f"{service or '*'}.log"))
    if not files:
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet"
        raise StackError(f"there is no log of {service or 'anything'}", str(folder), f"there are: {known}")
    with suppress(KeyboardInterrupt):
        subprocess.run(("tail", "-n", str(lines), "-F", *map(str, files)), check=False)  # noqa: S603, S607


@commands.command()
@click.option("--data", type=click.Choice(["sample", "real"]), default="sample", show_default=True)
@click.option("--use-case", "names", multiple=True, default=(ALL,), help="Which one, or `all`; may be repeated.")
def demo(data: Data, names: tuple[str, ...]) -> None:
    """Start the stack, and carry use cases one after another from their sources to live answers."""
    begun = time.monotonic()
    here = state()
    chosen = _chosen(names)
    sources = {use_case.name: source(use_case, data) for use_case in chosen}
    stack = Stack(here)
    addresses = start(stack)
    up_after = time.monotonic() - begun
    warehouse = Warehouse(addresses.database("warehouse"), REPOSITORY / "include" / "sql")
    results = []
    with Airflow(addresses.airflow, "admin", addresses.credentials.admin) as airflow:
        for use_case in chosen:
            console.print(f"\n[bold]{use_case.title}[/bold], from {sources[use_case.name] or 'its own source'}")
            story = Demo(use_case, airflow, warehouse, addresses.document(), here.store, Screen(console))
            results.append(story.run(sources[use_case.name]))
            summary.show(console, results[-1])
    summary.total(console, results, up_after, time.monotonic() - begun)
    summary.logins(console, addresses)


@commands.command(name="run")
@click.argument("use_case")
@click.argument("stage", type=click.Choice(STAGES))
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
def run_stage(use_case: str, stage: str, fields: tuple[str, ...]) -> None:
    """Run one stage of a use case by itself, from what the stages before it left.

    Fields are those of the stage's form in Airflow, for example `snapshot=2f6c0d9a41b7e583 again=true`. Several may
    stand in one argument, quoted as a shell would: `reason="a fair price"`.
    """
    name = registry.one(environment.use_cases_folder(), use_case).name
    conf = form.read(fields)
    document = published(state())
    warehouse = Warehouse(document["warehouse"], REPOSITORY / "include" / "sql")
    with Airflow(document["airflow"], "admin", document["logins"]["airflow"]["admin"]) as airflow:
        airflow.await_dag(f"{name}_{stage}")
        since = outcome.now(warehouse)
        run = airflow.trigger(f"{name}_{stage}", f"by-hand__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}", conf)
        run = follow(airflow, Screen(console), stage, run)
        if stage == "train":
            console.print(outcome.candidate(airflow, run))
            stage, run = "promote", airflow.started_by(run, f"{name}_promote")
            run = follow(airflow, Screen(console), stage, run)
        console.print(escape(_came_out(warehouse, name, stage, run, since)), soft_wrap=True)
        console.print(f"{document['airflow']}/dags/{run.dag_id}/runs/{run.run_id}", soft_wrap=True)


@commands.command()
@click.argument("use_case")
@click.option("--at", default="", help="A moment in UTC, such as 2026-11-20 12:00; now if absent.")
def served(use_case: str, at: str) -> None:
    """Show what serves, or served at a moment, since when, by whom and why."""
    name = registry.one(environment.use_cases_folder(), use_case).name
    warehouse = Warehouse(published(state())["warehouse"], REPOSITORY / "include" / "sql")
    meant = ledger.moment(at, outcome.now(warehouse))
    found = ledger.served(warehouse, name, meant)
    summary.titled(console, ledger.sentence(found, now=not at), ledger.details(found))
    if not at:
        summary.titled(console, "the last moves", ledger.history(moves(warehouse, name, LAST_MOVES)))


@commands.command()
@click.argument("use_case")
@click.option("--to", default="", help="The version to go back to; the one that served before if absent.")
@click.option("--reason", default="", help="Why; kept in the ledger.")
def rollback(use_case: str, to: str, reason: str) -> None:
    """Go back to a version that served before, and wait until it is live."""
    begun = time.monotonic()
    name = registry.one(environment.use_cases_folder(), use_case).name
    conf = ledger.way_back(name, to, reason)
    document = published(state())
    warehouse = Warehouse(document["warehouse"], REPOSITORY / "include" / "sql")
    with Airflow(document["airflow"], "admin", document["logins"]["airflow"]["admin"]) as airflow:
        airflow.await_dag(f"{name}_rollback")
        run = airflow.trigger(f"{name}_rollback", f"by-hand__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}", conf)
        run = follow(airflow, Screen(console), "rollback", run)
        console.print(outcome.way_back(airflow, run), soft_wrap=True)
    found = ledger.served(warehouse, name, outcome.now(warehouse))
    summary.titled(console, ledger.sentence(found, now=True), ledger.details(found))
    console.print(f"it took {time.monotonic() - begun:.1f} s; {document['airflow']}/dags/{run.dag_id}", soft_wrap=True)


@commands.command()
@click.argument("prediction_id", type=click.UUID)
def lineage(prediction_id: UUID) -> None:
    """Show every source file behind a prediction."""
    warehouse = Warehouse(published(state())["warehouse"], REPOSITORY / "include" / "sql")
    for row in outcome.lineage(warehouse, str(prediction_id), patience=5):
        for name, value in row.items():
            console.print(f"[bold]{name:<14}[/bold] {value}", highlight=False)


@commands.command()
@click.option("--force", is_flag=True, help="Do not ask.")
def clean(force: bool) -> None:
    """Stop everything and remove all of its data."""
    root = state().root
    if not root.exists():
        console.print(f"there is no {root}")
        return
    if not force:
        click.confirm(f"Remove {root} with its databases, models and mails?", abort=True)
    Stack(state()).down(console.print)
    shutil.rmtree(root)
    console.print(f"removed {root}")


def start(stack: Stack) -> Addresses:
    """Start a stack, showing what happens."""
    with _spinner() as waiting:
        return stack.up(console.print, waiting)


@contextmanager
def _spinner() -> Iterator[Callable[[list[str]], None]]:
    with console.status("starting") as line:
        yield lambda names: line.update(f"waiting for {', '.join(names)}") if names else None


def _cells(row: Row) -> tuple[str, ...]:
    health = "[green]works[/green]" if row.health.ok else "[red]does not work[/red]"
    if row.process is None:
        return row.program.name, "[dim]stopped[/dim]", "", "", row.program.url
    note = f"{health} ({row.health.note})" if row.health.note else health
    minutes, seconds = divmod(int(time.time() - row.process.started), 60)
    uptime = f"{minutes // 60}h {minutes % 60:02}m" if minutes >= 60 else f"{minutes}m {seconds:02}s"
    return row.program.name, note, uptime, str(row.process.pid), row.program.url


def _came_out(warehouse: Warehouse, use_case: str, stage: str, run: Run, since: datetime) -> str:
    """In one line, what a stage's run led to."""
    if stage == "ingest":
        return str(outcome.batch(warehouse, use_case, since))
    if stage == "promote":
        verdict = outcome.verdict(warehouse, use_case, run.run_id)
        return f"version {verdict.version}: {verdict.code}: {verdict.message}"
    return outcome.drift(warehouse, use_case, run.run_id)[0]


def _chosen(names: tuple[str, ...]) -> list[UseCase]:
    found = registry.find(environment.use_cases_folder())
    if ALL not in names:
        return [found.get(name) for name in dict.fromkeys(names)]
    for error in found.broken:
        console.print(f"[red]left out[/red] {escape(str(error))}", soft_wrap=True)
    if not found.use_cases:
        raise found.broken[0] if found.broken else StackError("there is no use case", action="see the documentation")
    return list(found.use_cases)


if __name__ == "__main__":
    sys.exit(commands(prog_name="python -m local"))
