"""A use case that asks for a canary has a DAG that watches one for as long as it may last."""

import pytest
from airflow.sdk import DAG

from sluice.domain.policy import Canary
from sluice.domain.use_case import UseCase
from sluice.orchestration import assets
from sluice.orchestration.canary import canary_dag

POLICY = Canary(max_hours=6)


def asking(use_case: UseCase, policy: Canary | None) -> UseCase:
    return use_case.model_copy(update={"serving": use_case.serving.model_copy(update={"canary": policy})})


@pytest.fixture
def dag(housing: UseCase) -> DAG:
    built = canary_dag(asking(housing, POLICY))
    assert built
    return built


def test_there_is_one_only_where_the_spec_asks_for_it(housing: UseCase) -> None:
    assert canary_dag(asking(housing, None)) is None


def test_it_begins_with_its_challenger_and_never_runs_beside_itself(dag: DAG, housing: UseCase) -> None:
    assert dag.schedule == [assets.challenger(housing)]
    assert dag.max_active_runs == 1


def test_the_watch_holds_no_slot_between_looks_and_outlasts_the_policy(dag: DAG) -> None:
    watch = dag.get_task("watch")

    assert watch.mode == "reschedule"
    assert watch.poke_interval < 10
    assert POLICY.max_hours * 3600 < watch.timeout < dag.dagrun_timeout.total_seconds()


def test_only_a_new_champion_that_is_live_is_announced(dag: DAG, housing: UseCase) -> None:
    assert [task.task_id for task in dag.tasks if task.outlets] == ["confirm_live"]
    assert dag.get_task("confirm_live").outlets == [assets.champion(housing)]


def test_every_task_says_whom_to_tell(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.on_failure_callback
        assert task.execution_timeout
