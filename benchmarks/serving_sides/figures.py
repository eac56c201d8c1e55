"""Figures: what the rounds came to, and whether that is what was aimed at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from serving_sides.load import Answers
from serving_sides.sides import Name
from serving_sides.steps import Steps
from sluice.domain.search import Family

#: Under which load the targets hold that are of one row, and of many.
ONE, MANY = 1, 100
#: Families that are quick enough that what stands around them is what is measured.
QUICK = ("ridge", "hist_gradient_boosting")
#: How many times the others' requests per second: for one row, for many, and for a forest.
FASTER, FASTER_MANY, FASTER_FOREST = 15.0, 8.0, 5.0
#: How many times the floor's median latency, for one row.
SLOWER = 2.0


@dataclass(frozen=True, order=True)
class Load:
    """What is asked at once: so many rows in a request, by so many clients."""

    rows: int
    clients: int

    def __str__(self) -> str:
        return f"{_plural(self.rows, 'row')}, {_plural(self.clients, 'client')}"


@dataclass(frozen=True)
class Round:
    """One side under one load for a short while.

    Attributes:
        cpu: CPU seconds of the server's processes, until they had nothing left to do.
        database: CPU seconds of the database, likewise.
        dropped: Rows that were answered and not logged.
    """

    answers: Answers
    cpu: float
    database: float
    dropped: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.answers.requests / self.answers.seconds


@dataclass(frozen=True)
class Figures:
    """The rounds of one side under one load, told by their medians."""

    rounds: tuple[Round, ...]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return median(r.rate for r in self.rounds)

    @property
    def p50(self) -> float:
        """Median latency in milliseconds."""
        return median(r.answers.p50 for r in self.rounds) * 1000

    @property
    def p99(self) -> float:
        """The latency that one request in a hundred exceeds, in milliseconds."""
        return median(r.answers.p99 for r in self.rounds) * 1000

    @property
    def cpu(self) -> float:
        """CPU milliseconds of the server for a request."""
        return median(r.cpu / r.answers.requests for r in self.rounds) * 1000

    @property
    def database(self) -> float:
        """CPU milliseconds of the database for a request."""
        return median(r.database / r.answers.requests for r in self.rounds) * 1000

    @property
    def client(self) -> float:
        """The share of a core that the clients took."""
        return median(r.answers.cpu / r.answers.seconds for r in self.rounds)


@dataclass(frozen=True)
class Outcome:
    """All figures of one pipeline.

    Attributes:
        gap: Largest relative difference between a side's prediction and the pipeline's own.
        steps: Rows in a request -> what Sluice's own code takes for it.
    """

    family: Family
    parameters: Mapping[str, int | float | str]
    gap: float
    figures: Mapping[tuple[Name, Load], Figures]
    steps: Mapping[int, Steps]

    @property
    def loads(self) -> list[Load]:
        """Every load, the lightest first."""
        return sorted({load for _, load in self.figures})

    def faster(self, name: Name, load: Load) -> float:
        """How many times as many requests per second Sluice answers: the median of the rounds' own ratios."""
        pairs = zip(self.figures["sluice", load].rounds, self.figures[name, load].rounds, strict=True)
        return median(own.rate / other.rate for own, other in pairs)

    def slower(self, name: Name, load: Load) -> float:
        """How many times as long half of Sluice's answers take: the median of the rounds' own ratios."""
        pairs = zip(self.figures["sluice", load].rounds, self.figures[name, load].rounds, strict=True)
        return median(own.answers.p50 / other.answers.p50 for own, other in pairs)

    def unlogged(self, rows: int) -> float:
        """The share of the rows of Sluice's answers that were not logged, in requests of so many rows."""
        rounds = [r for load in self.loads if load.rows == rows for r in self.figures["sluice", load].rounds]
        return sum(r.dropped for r in rounds) / sum(r.answers.requests * rows for r in rounds)


@dataclass(frozen=True)
class Verdict:
    """One target under one load.

    Attributes:
        target: In words.
        ratio: What came out.
        limit: What was aimed at.
        met: Whether that was reached.
    """

    family: Family
    load: Load
    target: str
    ratio: float
    limit: float
    met: bool


def verdicts(outcome: Outcome) -> Iterator[Verdict]:
    """Every target of a pipeline, under every load that it is for."""
    quick = outcome.family in QUICK
    rivals: tuple[tuple[Name, str], ...] = (("tutorial", "FastAPI"), ("mlflow", "MLflow"))
    for load in outcome.loads:
        least = (FASTER if load.rows == ONE else FASTER_MANY) if quick else FASTER_FOREST
        for name, title in rivals:
            ratio = outcome.faster(name, load)
            target = f"requests per second, times {title}'s, at least"
            yield Verdict(outcome.family, load, target, ratio, least, ratio >= least)
        if load.rows == ONE and quick:
            ratio = outcome.slower("floor", load)
            target = "median latency, times the constant's, at most"
            yield Verdict(outcome.family, load, target, ratio, SLOWER, ratio <= SLOWER)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
