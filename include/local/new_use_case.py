"""A new use case from any CSV: `python -m local.new_use_case --name NAME --csv CSV --target TARGET`.

Profiles the file, drafts the folder under the use cases, checks it, and says what was assumed.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local import environment
from sluice import registry
from sluice.domain.errors import SluiceError, SpecError
from sluice.domain.measures import Task
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.domain.use_case import UseCase
    from sluice.ingestion.drafting.draft import Draft

NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")

#: Rows of the sample that are drawn to see that the spec accepts them.
DRAWN_ROWS = 500

MARKS = {"warning": "[bold red]![/]", "assumed": "[green]+[/]", "decide": "[yellow]?[/]"}


@click.command(help=__doc__)
@click.option("--name", default="")
@click.option("--csv", default="")
@click.option("--target", default="")
@click.option("--task", default="", help="regression, binary or multiclass; told from the values where left out.")
@click.option("--positive", default="", help="The class that a model of two looks for.")
def command(name: str, csv: str, target: str, task: str, positive: str) -> None:
    """Make a use case from a CSV."""
    try:
        folder, drafted = make(name, csv, target, task, positive)
    except SluiceError as error:
        click.echo(f"{click.style('error', fg='red')} {error}", err=True)
        sys.exit(1)
    show(Console(highlight=False, soft_wrap=True), folder, drafted)


def make(name: str, csv: str, target: str, task: str = "", positive: str = "") -> tuple[Path, Draft]:
    """Write a use case's folder, whole or not at all.

    Args:
        name: Of the use case and its folder.
        csv: Path of the file.
        target: Header of the column to predict.
        task: What a person says it is; empty to tell it from the values.
        positive: The class that a person looks for; empty to choose it.

    Raises:
        SluiceError: The name is taken or none, the file is no table, or there is too little to learn from.
    """
    use_cases = environment.use_cases_folder()
    _refuse(name, csv, target, task, use_cases)
    draft = _draft(name, Path(csv), target, next((t for t in get_args(Task) if t == task), None), positive)
    try:
        _publish(draft, use_cases, name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SpecError(f"the folder cannot be written: {reason}", str(use_cases / name), "check its rights") from error
    return use_cases / name, draft


def show(console: Console, folder: Path, draft: Draft) -> None:
    """Say what was made, what was assumed, and what comes next."""
    from sluice.ingestion.drafting.folder import HEADINGS, rows

    columns = Table("column", "type", "role", "missing", "why", box=None)
    for row in rows(draft.assumed):
        columns.add_row(*(escape(cell) for cell in row))
    console.print(columns)
    for kind, heading in HEADINGS.items():
        told = [finding for finding in draft.findings if finding.kind == kind]
        if told:
            console.print(f"\n[bold]{heading}[/bold]")
        for finding in told:
            console.print(f" {MARKS[kind]} {escape(finding.text)}")
    name = draft.assumed.name
    console.print(f"\n[bold]{escape(str(folder))}[/bold] is ready: use_case.yaml, sample.yaml, README.md")
    console.print("Next: read use_case.yaml, make check, then make up, and trigger in Airflow:")
    console.print(f"  {name}_ingest, then {name}_train; promotion follows by itself")


def _refuse(name: str, csv: str, target: str, task: str, use_cases: Path) -> None:
    """Refuse what needs no look at the file."""
    usage = "make new-use-case NAME=wine CSV=/path/to/wine.csv TARGET=quality"
    for value, what in ((name, "NAME"), (csv, "CSV"), (target, "TARGET")):
        if not value.strip():
            raise SpecError(f"{what} is missing", action=f"say, for example: {usage}")
    if not NAME.fullmatch(name):
        raise SpecError(
            f"{name!r} cannot name a use case", "NAME", "use 2 to 40 lower-case letters, digits and _, a letter first"
        )
    if task and task not in get_args(Task):
        raise SpecError(f"there is no task {task!r}", "TASK", f"use one of: {', '.join(get_args(Task))}")
    if not use_cases.is_dir():
        raise SpecError("there is no folder of use cases", str(use_cases), "make it, or correct SLUICE_USE_CASES")
    if (use_cases / name).exists():
        raise SpecError(f"there is a use case {name!r} already", str(use_cases / name), "choose another NAME")


def _draft(name: str, csv: Path, target: str, task: Task | None, positive: str) -> Draft:
    # Local: they load scikit-learn, and what is refused above should be refused at once.
    from threadpoolctl import threadpool_limits

    from sluice.ingestion.drafting import assumptions, baseline, contents, findings, fitting, profile, thresholds
    from sluice.ingestion.drafting.draft import Draft

    with threadpool_limits(limits=1):
        assumed = assumptions.assume(name, profile.take(contents.read(csv)), target, task, positive or None)
        # The gate's thresholds come of it, so no row that the gate judges by may have a say in it.
        train = assumed.parts.train
        reached = baseline.reach(assumed.inputs.take(train), assumed.observed[train], assumed.problem)
        better = findings.beats_chance(assumed, reached)
        errors = thresholds.errors(assumed.objective.task, reached, assumed.parts.counts["test"])
        return Draft(
            assumed=assumed,
            reached=reached,
            errors=errors,
            demanded=thresholds.demand(assumed.objective.task, reached, errors, better),
            fit=fitting.fit(assumed, reached),
            findings=findings.of(assumed, reached),
            alerts=settings().alerts_to,
        )


def _publish(draft: Draft, use_cases: Path, name: str) -> None:
    """Write beside the use cases, one level deeper than they are looked for, check, and move into place."""
    from sluice.ingestion.drafting.folder import files

    with tempfile.TemporaryDirectory(prefix=".draft-", dir=use_cases) as scratch:
        folder = Path(scratch) / name
        folder.mkdir()
        for file, text in files(draft).items():
            (folder / file).write_text(text, encoding="utf-8")
        _check(folder)
        folder.rename(use_cases / name)


def _check(folder: Path) -> None:
    """Refuse a draft that would not be read, or whose sample it would not accept itself."""
    import csv
    import io

    from sluice.ingestion import samples

    use_case = registry.read(folder / registry.SPEC_FILE)
    text = "".join(samples.generate(samples.read(folder), use_case.columns, rows=DRAWN_ROWS))
    for row in csv.DictReader(io.StringIO(text, newline="")):
        _accept(use_case, row)


def _accept(use_case: UseCase, row: dict[str, str]) -> None:
    from sluice.ingestion.readings import reader

    for column in use_case.columns:
        text = reader(column)(row[column.source_header])
        value: str | float | bool | None = None if text == "\\N" else text
        if value is not None and column.type in ("number", "integer"):
            value = float(text)
        if value is not None and column.type == "boolean":
            value = text == "t"
        if not column.allows(value) or (isinstance(value, float) and not math.isfinite(value)):
            raise SpecError(
                f"the drafted sample draws {text!r} for {column.name!r}, which the spec refuses",
                use_case.name,
                "report the file's columns",
            )


if __name__ == "__main__":
    command(prog_name="python -m local.new_use_case")
