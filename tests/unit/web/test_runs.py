from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from sluice.web.runs import dag_ids, runs

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)


@pytest.fixture
def session(airflow_database: Engine) -> Session:
    """Airflow's database with ten runs that ended well, one that failed, one that goes on and one of long ago."""
    from airflow.models.dagrun import DagRun

    told = [("housing_train", "success", 10 * n, 1) for n in range(1, 11)]
    told += [("housing_train", "failed", 200, 1), ("housing_train", "running", None, 0)]
    told += [("loan_train", "success", 3, 1), ("loan_train", "success", 3, 30)]
    with Session(airflow_database) as opened:
        for number, (dag, state, seconds, days) in enumerate(told):
            begin = NOW - timedelta(days=days)
            row = {"dag_id": dag, "run_id": f"{opened}{number}", "state": state, "run_type": "manual"}
            times = {"run_after": begin, "start_date": begin, "log_template_id": 1}
            ended = begin + timedelta(seconds=seconds) if seconds is not None else None
            opened.execute(insert(DagRun.__table__).values(**row, **times, end_date=ended))  # type: ignore[arg-type]
        yield opened
        opened.rollback()


def test_runs_are_counted_dag_by_dag_and_all_together(session: Session) -> None:
    since = NOW - timedelta(days=7)

    found = runs(session, ["housing_train", "loan_train"], since)

    housing, loan = found.dags
    assert (housing.dag_id, housing.total, housing.succeeded, housing.failed, housing.unfinished) == (
        "housing_train",
        12,
        10,
        1,
        1,
    )
    assert housing.rate == pytest.approx(10 / 11)
    assert (housing.median, housing.p95) == (60, 150)
    assert (loan.total, loan.rate, loan.median) == (1, 1, 3)
    assert (found.total.total, found.total.failed) == (13, 1)
    assert (housing.tone, loan.tone) == ("bad", "good")


def test_what_a_person_may_not_read_is_not_counted(session: Session) -> None:
    since = NOW - timedelta(days=7)

    assert dag_ids(session, since) == {"housing_train", "loan_train"}
    assert runs(session, ["loan_train"], since).total.total == 1
    assert runs(session, [], since).dags == ()
