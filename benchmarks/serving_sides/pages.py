"""The page that a measurement becomes, as Markdown."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from serving_sides.figures import ONE, Load, Outcome, Verdict, verdicts
from serving_sides.sides import Name
from serving_sides.steps import Steps

LIBRARIES = ("bentoml", "onnxruntime", "scikit-learn", "pandas", "fastapi", "uvicorn", "pydantic", "mlflow-skinny")
TITLES: Mapping[Name, str] = {
    "tutorial": "FastAPI",
    "mlflow": "MLflow",
    "bentoml": "BentoML",
    "floor": "a constant",
    "sluice": "**Sluice**",
}
SIDES = """\
- **FastAPI**: the tutorials' way, `uvicorn` with a pydantic model, a pandas frame and the pickled pipeline
- **MLflow**: `mlflow models serve` of the pipeline with its signature, asked with `dataframe_split`
- **BentoML**: a service as documented, an API method that takes a list of pydantic models, and the pickled pipeline
- **a constant**: a BentoML service that is set up as Sluice's and answers the same to all, before BentoML's routes \
and behind BentoML's layers, which Sluice's connections pass by
- **Sluice**: `bentoml serve tabular.service:Tabular`, with its checks of keys, pace and every field, ids, intervals, \
metrics, and its log in Postgres"""


def page(outcomes: Sequence[Outcome], rounds: int, seconds: float, sample: int) -> str:
    """Everything that was measured.

    Args:
        outcomes: One per pipeline.
        rounds: How many of each side under each load.
        seconds: Of each round.
        sample: Rows of the sample that the pipelines were fitted with.
    """
    judged = [verdict for outcome in outcomes for verdict in verdicts(outcome)]
    parts = [
        "# Serving, side by side",
        f"Written by `make bench-serving` on {datetime.now(UTC):%d %B %Y}, not by hand.",
        _machine(),
        SIDES,
        _method(outcomes, rounds, seconds, sample),
        *[part for outcome in outcomes for part in _model(outcome)],
        "## Targets",
        _targets(judged),
    ]
    if not all(verdict.met for verdict in judged):
        parts += ["## Where the time goes", _profile(outcomes)]
    return "\n\n".join(parts) + "\n"


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    libraries = ", ".join(f"{name.removesuffix('-skinny')} {version(name)}" for name in LIBRARIES)
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, {libraries}."
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _method(outcomes: Sequence[Outcome], rounds: int, seconds: float, sample: int) -> str:
    gap = max(outcome.gap for outcome in outcomes)
    clients = max(f.client for outcome in outcomes for f in outcome.figures.values())
    return (
        f"The pipelines are fitted by Sluice's training code on {sample:,} rows of the housing sample, with the "
        "hyper-parameters that its search begins with. Every side has one process with one worker, as it is by "
        "default, and one thread to compute in (`OMP_NUM_THREADS=1`); all of them run at once, and one is loaded at a "
        "time. The clients are one process of plain sockets that keep their connections, each with one request under "
        f"way, eight different bodies in turns; it took at most {clients:.0%} of a core. Sides and loads follow each "
        f"other in {rounds} rounds of {seconds:g} s, each in another order, after one that does not count. A figure is "
        "the median of the rounds, a ratio the median of the rounds' own ratios. CPU is user and system time of the "
        "server's processes until they have nothing left to do, so that Sluice's holds the log. Before anything was "
        "timed, all sides' predictions were compared with the pipeline's own: the largest relative difference was "
        f"{gap:.1g}."
    )


def _model(outcome: Outcome) -> Iterator[str]:
    parameters = ", ".join(f"{name} {value}" for name, value in outcome.parameters.items())
    yield f"## {outcome.family.replace('_', ' ').capitalize()}"
    yield f"With {parameters}."
    lines = [
        "| load | served by | requests/s | p50, ms | p99, ms | CPU, ms/request | Sluice answers |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for load in outcome.loads:
        for name, title in TITLES.items():
            figures = outcome.figures[name, load]
            ratio = "" if name == "sluice" else f"{outcome.faster(name, load):.2f}x as many"
            numbers = f"{figures.rate:,.0f} | {figures.p50:.2f} | {figures.p99:.2f} | {figures.cpu:.2f}"
            lines.append(f"| {load} | {title} | {numbers} | {ratio} |")
    yield "\n".join(lines)
    yield " ".join(_words(outcome))


def _words(outcome: Outcome) -> Iterator[str]:
    for rows in sorted({load.rows for load in outcome.loads}):
        loads = [load for load in outcome.loads if load.rows == rows]
        faster = ", ".join(
            f"{_range(lambda load, name=name: outcome.faster(name, load), loads)} times {TITLES[name]}'s"  # type: ignore[misc]
            for name in ("tutorial", "mlflow", "bentoml")
        )
        slower = _range(lambda load: outcome.slower("floor", load), loads)
        database = _range(lambda load: outcome.figures["sluice", load].database, loads)
        yield (
            f"With {'one row' if rows == ONE else f'{rows} rows'} in a request, Sluice's requests per second are "
            f"{faster}; its median latency is {slower} times that of a constant. Beside it, the database takes "
            f"{database} ms of CPU for a request's log."
        )
        if unlogged := outcome.unlogged(rows):
            yield (
                f"{unlogged:.0%} of these rows were answered faster than the database took them, so that they were "
                "dropped from the log, and counted."
            )


def _range(value: Callable[[Load], float], loads: Sequence[Load]) -> str:
    values = sorted(value(load) for load in loads)
    low, high = f"{values[0]:.2g}", f"{values[-1]:.2g}"
    return low if low == high else f"{low} to {high}"


def _targets(judged: Sequence[Verdict]) -> str:
    missed = sum(not verdict.met for verdict in judged)
    lines = [
        f"{len(judged) - missed} of {len(judged)} are met.",
        "",
        "| model | load | what | target | measured | |",
        "|---|---|---|---:|---:|---|",
    ]
    for verdict in judged:
        numbers = f"{verdict.limit:g} | {verdict.ratio:.2f} | {'met' if verdict.met else 'missed'}"
        lines.append(f"| {verdict.family} | {verdict.load} | {verdict.target} | {numbers} |")
    return "\n".join(lines)


def _profile(outcomes: Sequence[Outcome]) -> str:
    """What of a request's CPU is which step of Sluice's, the server around it, and the rest."""
    steps = [field.name for field in fields(Steps)]
    lines = [
        "CPU milliseconds for one request with the fewest clients: the steps of Sluice's own application with no "
        "server around it, each on the clock of its thread; what the thread costs that writes the log; the constant's "
        "CPU, for HTTP and BentoML; and what was measured of the service. The steps are timed in a loop, with "
        "everything in the processor's caches; between two requests of one client the server sleeps, and finds them "
        "filled by others.",
        "",
        f"| model | rows | {' | '.join(steps)} | HTTP, BentoML | sum | CPU as measured |",
        f"|---|{'---:|' * (len(steps) + 4)}",
    ]
    for outcome in outcomes:
        for rows, own in outcome.steps.items():
            load = next(load for load in outcome.loads if load.rows == rows)
            around, measured = outcome.figures["floor", load].cpu, outcome.figures["sluice", load].cpu
            values = (*(getattr(own, step) for step in steps), around, own.whole + around, measured)
            lines.append(f"| {outcome.family} | {rows} | {' | '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)
