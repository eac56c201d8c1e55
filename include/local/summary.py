"""What a person sees of the stack and of a demo on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.addresses import Addresses
from local.demo import Result


class Screen:
    """Shows a demo's progress on a terminal; where the output is no terminal, only the lines that stay."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """Show a line that stays."""
        self._console.print(escape(line), soft_wrap=True)

    @contextmanager
    def working(self, line: str) -> Iterator[Callable[[str], None]]:
        """Show a line that goes away when the block ends, and takes other texts until then."""
        with self._console.status(escape(line)) as status:
            yield lambda text: status.update(escape(text))


def show(console: Console, results: Sequence[Result], up_after: float, total: float) -> None:
    """Show what the demo of every use case came to.

    Args:
        console: Where.
        results: One per use case.
        up_after: Seconds until the stack was up.
        total: Seconds in all.
    """
    for result in results:
        table = Table(
            "stage", "seconds", "what came out", title=f"\\n{result.use_case}", title_justify="left", box=None
        )
        table.add_row("stack", f"{up_after:.1f}", "up")
        for stage, seconds, said in result.stages:
            table.add_row(stage, f"{seconds:.1f}", escape(said))
        table.add_row("all", f"{total:.1f}", "")
        console.print(table)
        _show_answer(console, result)


def _show_answer(console: Console, result: Result) -> None:
    table = Table(show_header=False, box=None)
    if result.verdict:
        table.add_row("decision", f"[bold]{escape(result.verdict.code)}[/bold]")
    if answer := result.answer:
        interval = f", interval {answer.interval[0]:,.6g} to {answer.interval[1]:,.6g}" if answer.interval else ""
        table.add_row("prediction", f"[bold]{answer.prediction:,.6g} {answer.unit}[/bold]{interval}")
        table.add_row("served by", f"version {answer.version}, prediction id {answer.prediction_id}")
    for row in result.lineage:
        origin = f"run {row['run_id']} < {row['snapshot_id']} < batch {row['batch_id']}"
        table.add_row(
            "lineage", f"{escape(row['bento'])} < {origin} < {escape(row['source_uri'])} {row['sha256'][:12]}"
        )
    for kind, url in result.reports:
        table.add_row(f"{kind} report", url)
    console.print(table, soft_wrap=True)


def logins(console: Console, addresses: Addresses) -> None:
    """Show every address of the stack, with its login."""
    login = addresses.credentials
    lines = [
        ("Airflow", f"{addresses.airflow}  as admin with {login.admin}, as viewer with {login.viewer}"),
        ("MLflow", addresses.mlflow),
        ("Inbox", addresses.inbox),
        *((f"Model {name}", addresses.serving(name)) for name in addresses.use_cases),
        ("Warehouse", addresses.database("warehouse")),
    ]
    width = max(len(name) for name, _ in lines)
    console.print()
    for name, text in lines:
        console.print(f"{name:<{width}}  {escape(text)}", soft_wrap=True)
