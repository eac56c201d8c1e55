"""Runs: how often Airflow ran each DAG lately, how that ended and how long it took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import Float, cast, func, select
from sqlalchemy.orm import Session

from sluice.web.facts import Tone

#: How far back runs are counted.
LATELY = timedelta(days=7)


@dataclass(frozen=True)
class Ran:
    """The runs of a DAG, or of all of them.

    Attributes:
        dag_id: Which.
        total: Runs that began, or were to begin, in the time.
        succeeded: Of them.
        failed: Of them.
        median: Seconds that half of those that ended took at most; None where none ended.
        p95: Seconds that 95 % of them took at most.
        newest: When the newest was to begin.
    """

    dag_id: str
    total: int
    succeeded: int
    failed: int
    median: float | None
    p95: float | None
    newest: datetime | None

    @property
    def unfinished(self) -> int:
        """Runs that have not ended."""
        return self.total - self.succeeded - self.failed

    @property
    def rate(self) -> float | None:
        """Share of those that ended well; None where none ended."""
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else None

    @property
    def tone(self) -> Tone:
        """Whether all of them ended well."""
        if self.rate is None:
            return "plain"
        return "bad" if self.failed else "good"


@dataclass(frozen=True)
class Runs:
    """All runs together, and DAG by DAG."""

    total: Ran
    dags: tuple[Ran, ...]


def metadata() -> Iterator[Session]:
    """A session on Airflow's own database, closed at the end of the request."""
    with create_session(scoped=False) as session:
        yield session


def dag_ids(session: Session, since: datetime) -> set[str]:
    """The DAGs that ran."""
    return set(session.scalars(select(DagRun.dag_id).where(DagRun.run_after >= since).distinct()))


def runs(session: Session, dags: Sequence[str], since: datetime) -> Runs:
    """Count the runs of some DAGs.

    Args:
        session: On Airflow's database, which is Postgres.
        dags: Their ids.
        since: Runs that were to begin earlier are left out; aware.
    """
    per_dag = tuple(_count(session, dags, since, by_dag=True))
    (total,) = _count(session, dags, since, by_dag=False)
    return Runs(total, per_dag)


def _count(session: Session, dags: Sequence[str], since: datetime, by_dag: bool) -> Iterator[Ran]:
    took = cast(func.extract("epoch", DagRun.end_date - DagRun.start_date), Float)
    ended = DagRun.state.in_([DagRunState.SUCCESS, DagRunState.FAILED])
    counted = [
        func.count(),
        func.count().filter(DagRun.state == DagRunState.SUCCESS),
        func.count().filter(DagRun.state == DagRunState.FAILED),
        func.percentile_cont(0.5).within_group(took).filter(ended),
        func.percentile_cont(0.95).within_group(took).filter(ended),
        func.max(DagRun.run_after),
    ]
    statement = select(*counted).where(DagRun.run_after >= since, DagRun.dag_id.in_(dags))
    if by_dag:
        statement = statement.add_columns(DagRun.dag_id).group_by(DagRun.dag_id).order_by(DagRun.dag_id)
    for total, succeeded, failed, median, p95, newest, *dag in session.execute(statement):
        yield Ran(dag[0] if by_dag else "", total, succeeded, failed, median, p95, newest)
