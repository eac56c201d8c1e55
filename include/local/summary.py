"""What a person sees of the stack and of a demo on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.addresses import Addresses
from local.demo import Result


@dataclass(frozen=True)
class Part:
    """A database, or a folder of files, that was carried over.

    Attributes:
        name: Which.
        holds: What there is of it, in words.
        bytes: How much that is in a backup.
        seconds: How long it took.
    """

    name: str
    holds: str
    bytes: int
    seconds: float


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


def show(console: Console, result: Result) -> None:
    """Show what the demo of one use case came to."""
    stages = [(name, f"{seconds:6.1f} s  {said}") for name, seconds, said in result.stages]
    console.print(f"\n[bold]{escape(result.use_case)}: what came out[/bold]")
    _lines(console, [*stages, ("all", f"{result.seconds:6.1f} s")])
    console.print()
    _lines(console, list(_answer(result)))


def total(console: Console, results: Sequence[Result], up_after: float, seconds: float) -> None:
    """Show how long everything took.

    Args:
        console: Where.
        results: One per use case.
        up_after: Seconds until the stack was up.
        seconds: In all.
    """
    parts = [("stack up", up_after), *((result.use_case, result.seconds) for result in results), ("all", seconds)]
    console.print("\n[bold]how long it took[/bold]")
    _lines(console, [(name, f"{taken:6.1f} s") for name, taken in parts])


def carried(console: Console, parts: Sequence[Part]) -> None:
    """Show what a backup holds, or what was brought back from one."""
    table = Table("part", "holds", "in the backup", "seconds", box=None)
    for part in parts:
        table.add_row(part.name, part.holds, size(part.bytes), f"{part.seconds:.1f}")
    whole = Part("all", "", sum(part.bytes for part in parts), sum(part.seconds for part in parts))
    table.add_row(whole.name, whole.holds, size(whole.bytes), f"{whole.seconds:.1f}", style="bold")
    console.print(table)


def size(number: int) -> str:
    """Bytes for people."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _answer(result: Result) -> Iterator[tuple[str, str]]:
    if result.verdict:
        yield "decision", result.verdict.code
    if answer := result.answer:
        yield "prediction", answer.said
        yield from answer.doubts
        yield "served by", f"version {answer.version}, prediction id {answer.prediction_id}"
    for row in result.lineage:
        yield "lineage", f"{row['bento']} < run {row['run_id']} < snapshot {row['snapshot_id']}"
        yield "", f"< batch {row['batch_id']} < {row['source_uri']} (sha256 {row['sha256'][:12]})"
    for kind, url in result.reports:
        yield f"{kind} report", url


def titled(console: Console, title: str, lines: Iterable[tuple[str, str]]) -> None:
    """Show names and texts under a title."""
    console.print(f"[bold]{escape(title)}[/bold]", soft_wrap=True)
    _lines(console, list(lines))


def logins(console: Console, addresses: Addresses) -> None:
    """Show every address of the stack, with its login."""
    login = addresses.credentials
    lines = [
        ("Airflow", f"{addresses.airflow}  as admin with {login.admin}, as viewer with {login.viewer}"),
        ("MLflow", addresses.mlflow),
        ("Inbox", addresses.inbox),
        ("Watcher", addresses.watcher),
        *((f"Model {name}", addresses.serving(name)) for name in addresses.use_cases),
        ("Warehouse", addresses.database("warehouse")),
    ]
    console.print()
    _lines(console, lines)


def _lines(console: Console, lines: Sequence[tuple[str, str]]) -> None:
    """Print names and texts; a long text is left to the terminal to wrap, so that it can be copied."""
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        console.print(f"  {name:<{width}}  {escape(text)}", soft_wrap=True)
