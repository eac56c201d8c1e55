"""A file of a million rows, uploaded and answered: `python benchmarks/upload.py [--rows N] [--rounds N]`.

A pipeline is fitted by Sluice's own code on the housing sample and served as the tutorials do (FastAPI takes the whole
file, pandas reads it, pydantic checks the rows as it does those of a request, the pipeline predicts, pandas writes it)
and by Sluice as users run it, with keys, metrics and its log in a Postgres server of this benchmark's own. The same
file goes to both by curl, in turns, and a third time to the tutorial's service without the check. Sluice also gives
each row its interval and an id, and logs it. Every answer's predictions are compared with the pipeline's own. Before
and after the timed rounds comes one in which their memory is watched, and at last one in which a client asks for single
rows beside the upload, to see how long those take then.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import psycopg2
from rich.console import Console
from serving_sides import load as clients
from serving_sides.files import Sent, send, watched
from serving_sides.pipelines import Trained, train
from serving_sides.sides import Name, Server, Side, running, sides, text
from throwaway import server

from sluice.adapters.migrations import migrate
from sluice.domain.search import Family
from sluice.settings import settings

SIDES: tuple[Name, ...] = ("tutorial", "sluice")
#: What a file is sent to.
WAYS: dict[str, tuple[Name, str]] = {
    "tutorial": ("tutorial", "/predict/file"),
    "unchecked": ("tutorial", "/predict/file/unchecked"),
    "sluice": ("sluice", "/predict/file"),
}
FAMILIES: tuple[Family, ...] = ("ridge", "hist_gradient_boosting", "random_forest")
#: How many times the tutorial's rows per second, and megabytes of memory at most, of Sluice.
FASTER, MEMORY = 5.0, 300.0
#: How far a prediction may be from the pipeline's own, relative to it.
TOLERANCE = 1e-6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", choices=FAMILIES, default="ridge")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="sluice-upload-") as scratch, server("warehouse") as addresses:
        folder, warehouse = Path(scratch), addresses["warehouse"]
        migrate(warehouse, settings().sql / "migrations")
        trained = train(arguments.model, 20_000, folder)
        rows = trained.rows.sample(arguments.rows, replace=True, random_state=0, ignore_index=True)
        rows.to_csv(folder / "rows.csv", index=False)
        known = [_alone(side, folder) for side in sides(trained, warehouse, folder) if side.name in SIDES]
        with running(known, folder) as servers:
            report(servers, trained, rows, folder, arguments.rounds, warehouse)


def report(
    servers: Sequence[Server], trained: Trained, rows: pd.DataFrame, folder: Path, rounds: int, warehouse: str
) -> None:
    """Upload in turns and print what came of it."""
    console = Console(stderr=True)
    expected = trained.model.predict(rows)
    by_name = {one.side.name: one for one in servers}
    ways = [(way, by_name[name], path) for way, (name, path) in WAYS.items()]
    seen: dict[str, list[Sent]] = {way: [] for way in WAYS}
    peaks: dict[str, float] = dict.fromkeys(seen, 0.0)

    def watch() -> None:
        for way, one, path in ways:
            with watched(one.process) as memory:
                send(one, folder / "rows.csv", folder / "answer.csv", path)
            one.rest()
            peaks[way] = max(*memory, peaks[way])
            compare(one, folder / "answer.csv", expected)

    watch()
    for number in range(rounds):
        turn = number % len(ways)
        for way, one, path in (*ways[turn:], *ways[:turn]):
            sent = send(one, folder / "rows.csv", folder / "answer.csv", path)
            one.rest()
            seen[way].append(sent)
            console.print(f"round {number + 1}, {way}: {len(rows) / sent.seconds:,.0f} rows/s")
    watch()
    print(f"{len(rows):,} rows of {trained.family}, {rounds} rounds, medians")
    for way, every in seen.items():
        rate = median(len(rows) / sent.seconds for sent in every)
        spent = median(sent.cpu for sent in every)
        times = _times(every, seen["sluice"])
        print(
            f"{way:10} {rate:>10,.0f} rows/s   {peaks[way]:>6,.0f} MB at most   {spent:5.2f} s of CPU"
            f"   {times:5.1f} of Sluice's time"
        )
    ratio = _times(seen["tutorial"], seen["sluice"])
    print(f"{ratio:.1f} times the tutorial's rows per second (at least {FASTER:g}): {_met(ratio >= FASTER)}")
    print(f"{peaks['sluice']:.0f} MB (at most {MEMORY:g}): {_met(peaks['sluice'] < MEMORY)}")
    own = by_name["sluice"]
    logged = _logged(warehouse)
    print(f"{logged + own.dropped():,} of {len(rows) * (rounds + 2):,} rows are logged or counted as dropped")
    for one in servers:
        print(f"{one.side.name:10} {_beside(one, trained, folder):.1f} ms: p99 of single rows beside an upload")


def compare(one: Server, answer: Path, expected: np.ndarray) -> None:
    """Hold a server's predictions against the pipeline's own.

    Raises:
        SystemExit: They differ by more than rounding.
    """
    answered = pd.read_csv(answer, usecols=["prediction"])["prediction"].to_numpy()
    if answered.shape != expected.shape:
        raise SystemExit(f"{one.side.name} answers {len(expected)} rows with {len(answered)}")
    if (gap := np.max(np.abs(answered - expected) / np.abs(expected))) > TOLERANCE:
        raise SystemExit(f"{one.side.name} differs from the pipeline by {gap:.2g} of a prediction")


def _beside(one: Server, trained: Trained, folder: Path) -> float:
    """The latency that one single-row request in a hundred exceeds beside an upload, in milliseconds."""
    body = text(one.side, trained.requests(1)[0])
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(send, one, folder / "rows.csv", folder / "answer.csv")
        time.sleep(0.3)
        order = clients.Order(one.port, one.side.path, [body], 1, 1.0, one.side.headers)
        answers = clients.run(order)
        upload.result()
    return answers.p99 * 1000


def _alone(side: Side, folder: Path) -> Side:
    """A side without what its image lacks: Arrow takes pandas in where it finds it, with 40 MB, and needs it not."""
    if side.name != "sluice":
        return side
    (folder / "image").mkdir()
    (folder / "image" / "pandas.py").write_text("raise ImportError('not in the image')\n")
    return replace(side, environment=side.environment | {"PYTHONPATH": str(folder / "image")})


def _times(theirs: Sequence[Sent], ours: Sequence[Sent]) -> float:
    """How many times as long they take, round by round."""
    return median(a.seconds / b.seconds for a, b in zip(theirs, ours, strict=True))


def _logged(warehouse: str) -> int:
    with closing(psycopg2.connect(warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(size), 0) FROM serving.answers")
        return int(cursor.fetchone()[0])


def _met(met: bool) -> str:
    return "met" if met else "not met"


if __name__ == "__main__":
    main()
