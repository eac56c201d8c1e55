"""What the DAGs tell people beside that something has failed."""

from pathlib import Path

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SpecError, StateError
from sluice.domain.evidence import Decision, Subject
from sluice.domain.use_case import UseCase
from sluice.orchestration import notices
from sluice.orchestration.failures import callbacks
from sluice.orchestration.health import check_specs
from sluice.settings import settings
from tests.unit.orchestration.inbox import Inbox
from tests.unit.orchestration.test_failures import Task

SUBJECT = Subject(
    use_case="housing", version=4, bundle_sha256="4" * 64, champion_version=3, champion_bundle_sha256="3" * 64
)
RUN = "manual__1"


def decide(code: str) -> None:
    """Tell of a decision about version 4."""
    notices.decided(SUBJECT, Decision(code=code, message="r2 is 0.4, at least 0.5 is needed"), RUN)


@pytest.mark.parametrize("code", ["reject:threshold.r2", "reject:approval_timeout", "undecided:image"])
def test_a_candidate_that_is_not_promoted_is_told_with_its_report(inbox: Inbox, ledger: Warehouse, code: str) -> None:
    decide(code)

    assert inbox.mail["subject"] == f"[sluice] housing promote not promoted: version 4, {code}"
    assert "r2 is 0.4, at least 0.5 is needed" in inbox.text
    assert "http://airflow.test/sluice/reports/housing/decision/manual__1-" in inbox.text
    assert f"http://airflow.test/dags/housing_promote/runs/{RUN}" in inbox.text


@pytest.mark.parametrize("code", ["promote", "needs_approval", "reject:unchanged", "reject:approval"])
def test_what_is_no_news_is_not_told(inbox: Inbox, ledger: Warehouse, code: str) -> None:
    decide(code)

    assert not inbox.mails


def test_the_next_one_that_is_promoted_is_told_too(inbox: Inbox, ledger: Warehouse) -> None:
    for code in ("reject:threshold.r2", "reject:change.rmse", "needs_approval", "promote", "promote"):
        decide(code)

    assert inbox.subjects == [
        "[sluice] housing promote not promoted: version 4, reject:threshold.r2",
        "[sluice] housing promote recovered: version 4, reject:change.rmse",
    ]


@pytest.mark.parametrize("task_id", ["decide_promotion", "record_ruling"])
def test_the_run_that_fails_undecided_says_so_once(inbox: Inbox, ledger: Warehouse, task_id: str) -> None:
    task = Task(task_id=task_id, dag_id="housing_promote", run_id=RUN, states={task_id: "failed"})

    decide("undecided:image")
    callbacks("housing", "promote").task[0](task.context(exception=StateError("undecided:image")))
    callbacks("housing", "promote").run[0](task.context(reason="task_failure"))

    assert len(inbox.mails) == 1


def test_a_canary_that_withdrew_itself_says_so_once_and_the_next_one_again(inbox: Inbox, ledger: Warehouse) -> None:
    task = Task(task_id="conclude", dag_id="housing_canary", run_id=RUN)

    for version in (4, 5):
        notices.withdrawn("housing", version, 3, "withdraw:latency: slower", RUN)
        callbacks("housing", "canary").task[0](task.context(exception=StateError("it was withdrawn")))

    assert inbox.subjects == [f"[sluice] housing promote canary withdrawn: version {version}" for version in (4, 5)]


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, housing: UseCase) -> Path:
    """A folder of three use cases of which two are broken."""
    for name in ("barns", "huts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "use_case.yaml").write_text(f"name: {name}\ntask: clustering\n", encoding="utf-8")
    (tmp_path / "housing").symlink_to(settings().use_cases / "housing")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))
    settings.cache_clear()
    return tmp_path


def test_each_broken_spec_is_told_once_and_again_when_it_is_mended(
    inbox: Inbox, ledger: Warehouse, specs: Path
) -> None:
    task = Task(task_id="check_specs", dag_id="sluice_check", run_id="r1")

    for _ in range(2):
        with pytest.raises(SpecError) as broken:
            check_specs(run_id="r1")
        callbacks("platform", "check").task[0](task.context(exception=broken.value))
    (specs / "huts" / "use_case.yaml").unlink()
    with pytest.raises(SpecError):
        check_specs(run_id="r2")

    assert inbox.subjects == [
        "[sluice] platform check spec is broken: barns/use_case.yaml",
        "[sluice] platform check spec is broken: huts/use_case.yaml",
        "[sluice] platform check recovered: huts/use_case.yaml",
    ]
