"""Five ways to serve the same pipeline, side by side: `python benchmarks/serving.py [--quick] [--write PATH]`.

The pipelines are fitted by Sluice's own code on the housing sample. Each is served by FastAPI as in the tutorials, by
`mlflow models serve`, by a BentoML service as documented, and by Sluice as users run it, with metrics and its log in a
Postgres server of this benchmark's own; a BentoML service that answers a constant is the floor. All run at once, in
one process each, and are loaded one at a time, in short rounds that follow each other, so that whatever else the
machine does hits all alike. Every side's predictions are compared with the pipeline's own before anything is timed.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import psycopg2
from rich.console import Console
from serving_sides import load as clients
from serving_sides import pages, steps
from serving_sides.figures import MANY, ONE, Figures, Load, Outcome, Round
from serving_sides.pipelines import Trained, train
from serving_sides.sides import Name, Server, cpu, running, sides, text
from throwaway import server

from sluice.adapters.migrations import migrate
from sluice.domain.search import Family
from sluice.settings import settings

FAMILIES: tuple[Family, ...] = ("ridge", "hist_gradient_boosting", "random_forest")
#: How far a prediction may be from the pipeline's own, relative to it.
TOLERANCE = 1e-6
#: Seconds of the round under each load that nobody counts.
WARM_UP = 0.5


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        sample: Rows of the housing sample that pipelines are fitted and asked with.
        seconds: Of each round.
    """

    families: tuple[Family, ...]
    clients: tuple[int, ...]
    sample: int
    rounds: int
    seconds: float

    @property
    def loads(self) -> list[Load]:
        """Every load."""
        return [Load(rows, count) for rows in (ONE, MANY) for count in self.clients]


def main() -> None:
    """Print the figures, and write the page where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=FAMILIES, help="only this one; may be given more than once")
    parser.add_argument(
        "--clients", type=int, action="append", help="instead of 1, 8 and 32; may be given more than once"
    )
    parser.add_argument("--rows", type=int, default=20_000, help="of the sample")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of a round")
    parser.add_argument("--quick", action="store_true", help="two rounds of a second")
    parser.add_argument("--write", type=Path, help="the page to write, for example docs/benchmarks.md")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    plan = Plan(
        families=tuple(arguments.model or FAMILIES),
        clients=tuple(arguments.clients or (1, 8, 32)),
        sample=arguments.rows,
        rounds=2 if arguments.quick else arguments.rounds,
        seconds=1 if arguments.quick else arguments.seconds,
    )
    console = Console(stderr=True)
    outcomes = [measured(family, plan, console) for family in plan.families]
    page = pages.page(outcomes, rounds=plan.rounds, seconds=plan.seconds, sample=plan.sample)
    if arguments.write:
        arguments.write.write_text(page, encoding="utf-8")
    print(page)


def measured(family: Family, plan: Plan, console: Console) -> Outcome:
    """Fit a pipeline, serve it in every way, and load them in turns."""
    with tempfile.TemporaryDirectory(prefix="sluice-serving-") as scratch, server("warehouse") as addresses:
        folder = Path(scratch)
        warehouse = addresses["warehouse"]
        migrate(warehouse, settings().sql / "migrations")
        trained = train(family, plan.sample, folder)
        with running(sides(trained, warehouse, folder), folder) as servers:
            gap = compared(servers, trained)
            console.print(f"{family}: all answer alike, to {gap:.1g} of a prediction")
            figures = rounds(servers, trained, plan, _postmaster(warehouse), console)
        own = next(s.side for s in servers if s.side.name == "sluice")
        bodies = {rows: text(own, trained.requests(rows)[0]) for rows in (ONE, MANY)}
        profiled = {
            rows: steps.measure(own.environment, own.folder, body, own.headers) for rows, body in bodies.items()
        }
        return Outcome(family, trained.parameters, gap, figures, profiled)


def compared(servers: Sequence[Server], trained: Trained) -> float:
    """The largest difference between an answer and the pipeline's own, relative to that.

    Raises:
        SystemExit: It is more than rounding.
    """
    largest = 0.0
    for one in (s for s in servers if s.side.name != "floor"):
        for rows in (*trained.requests(ONE), *trained.requests(MANY)):
            expected = trained.model.predict(rows)
            answered = np.array(one.predict(text(one.side, rows)))
            if answered.shape != expected.shape:
                raise SystemExit(f"{one.side.name} answers {len(rows)} rows with {answered.shape} predictions")
            gap = float(np.max(np.abs(answered - expected) / np.abs(expected)))
            if not gap <= TOLERANCE:
                raise SystemExit(f"{one.side.name} answers otherwise than the pipeline, by {gap:.1g} of a prediction")
            largest = max(largest, gap)
    return largest


def rounds(
    servers: Sequence[Server], trained: Trained, plan: Plan, database: psutil.Process, console: Console
) -> dict[tuple[Name, Load], Figures]:
    """Load every side in turns, each round in another order; the first round warms up and does not count."""
    seen: dict[tuple[Name, Load], list[Round]] = defaultdict(list)
    for number in range(plan.rounds + 1):
        turn = number % len(servers)
        for load in plan.loads:
            for one in (*servers[turn:], *servers[:turn]):
                bodies = [text(one.side, rows) for rows in trained.requests(load.rows)]
                seconds = plan.seconds if number else min(WARM_UP, plan.seconds)
                order = clients.Order(one.port, one.side.path, bodies, load.clients, seconds, one.side.headers)
                result = loaded(one, order, database)
                if number:
                    seen[one.side.name, load].append(result)
        console.print(f"{trained.family}: round {number} of {plan.rounds}")
    return {key: Figures(tuple(results)) for key, results in seen.items()}


def loaded(one: Server, order: clients.Order, database: psutil.Process) -> Round:
    """One side under one load, until it has nothing left to do."""
    used, written, dropped = cpu(one.process), cpu(database), one.dropped()
    answers = clients.run(order)
    return Round(answers, one.rest() - used, cpu(database) - written, one.dropped() - dropped)


def _postmaster(dsn: str) -> psutil.Process:
    with closing(psycopg2.connect(dsn)) as connection:
        parent = psutil.Process(connection.info.backend_pid).parent()
    if parent is None:
        raise SystemExit("the database is not on this machine")
    return parent


if __name__ == "__main__":
    main()
