"""Every use case has its DAGs, every DAG file is thin and parses fast, and every DAG says what it does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import ParamValidationError

from sluice.domain.use_case import UseCase
from sluice.orchestration.ingest import ingest_dag
from sluice.orchestration.monitor import monitor_dag
from sluice.orchestration.operate import platform_dags, use_case_dags
from sluice.orchestration.promote import promote_dag
from sluice.orchestration.train import train_dag
from sluice.settings import settings

REPOSITORY = Path(__file__).parents[2]
FILES = sorted((REPOSITORY / "dags").glob("*.py"))
HEAVY = {
    "bentoml", "evidently", "great_expectations", "huggingface_hub", "matplotlib", "mlflow", "numpy", "onnx",
    "onnxruntime", "optuna", "pandas", "pyarrow", "scipy", "skl2onnx", "sklearn", "wandb",
}  # fmt: skip
PARSE_SECONDS = 3.0
VERBS = {
    "ask", "begin", "build", "check", "choose", "clear", "compose", "conclude", "confirm", "decide", "deploy",
    "judge", "land", "open", "pick", "publish", "recognise", "record", "register", "report", "respond", "roll",
    "search", "take", "watch",
}  # fmt: skip

#: Parses one file as the DAG processor does, and tells what it cost and what it loaded.
PARSER = """
import json, runpy, sys, time
import airflow.sdk
before = set(sys.modules)
begin = time.process_time()
runpy.run_path(sys.argv[1])
seconds = time.process_time() - begin
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"seconds": seconds, "loaded": sorted(loaded)}))
"""


def parsed(path: Path) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")}
    command = [sys.executable, "-c", PARSER, path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_a_docstring_two_imports_and_a_loop(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]

    assert len(lines) <= 12
    assert "airflow" in lines[0].lower(), "safe mode skips a file that does not say airflow"
    assert "dag" in lines[0].lower(), "safe mode skips a file that does not say dag"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parsing_a_dag_file_is_quick_and_loads_nothing_heavy(path: Path) -> None:
    answer = parsed(path)

    assert not HEAVY & set(answer["loaded"])
    assert answer["seconds"] < PARSE_SECONDS


@pytest.fixture(scope="module")
def stages(use_cases: tuple[UseCase, ...]) -> dict[str, DAG]:
    """Every DAG of every use case, by its id: its stages', and those beside them."""
    factories = (ingest_dag, train_dag, promote_dag, monitor_dag)
    built = (factory(use_case) for use_case in use_cases for factory in (*factories, *use_case_dags))
    return {dag.dag_id: dag for dag in built if dag}


@pytest.fixture(scope="module")
def every_dag(stages: dict[str, DAG]) -> dict[str, DAG]:
    """Those, and the platform's own."""
    return stages | {dag.dag_id: dag for dag in (build() for build in platform_dags)}


def test_every_use_case_has_a_dag_per_stage(stages: dict[str, DAG], use_cases: tuple[UseCase, ...]) -> None:
    purposes = ("ingest", "train", "promote", "monitor", "rollback")
    expected = {f"{use_case.name}_{purpose}" for use_case in use_cases for purpose in purposes}
    expected |= {f"{use_case.name}_canary" for use_case in use_cases if use_case.serving.canary}

    assert set(stages) == expected


def test_every_dag_says_what_it_does_and_whom_to_tell(every_dag: dict[str, DAG]) -> None:
    for dag in every_dag.values():
        assert dag.doc_md
        assert dag.description
        assert dag.on_failure_callback, f"{dag.dag_id}: a killed process reaches only the run's callback"
        assert dag.on_success_callback, f"{dag.dag_id}: nobody would hear that it has recovered"
        assert dag.dagrun_timeout
        [late] = dag.deadline
        assert late.interval < dag.dagrun_timeout
        for task in dag.tasks:
            assert task.on_failure_callback, task.task_id
            assert task.execution_timeout, task.task_id
            assert task.task_id.split("_")[0] in VERBS, f"{task.task_id} does not begin with a verb"


def test_every_stage_retries_and_never_runs_beside_itself(stages: dict[str, DAG]) -> None:
    for dag in stages.values():
        assert dag.max_active_runs == 1
        assert not dag.catchup
        assert all(task.retries for task in dag.tasks)
        assert dag.start_date is None, "with a start date, a new DAG runs at once for its last date"


def test_every_field_of_a_trigger_form_has_a_title_and_a_help_text(stages: dict[str, DAG]) -> None:
    for dag in stages.values():
        assert "reason" in dag.params
        for name, param in dag.params.items():
            assert dag.params.get_param(name).schema.get("title"), (dag.dag_id, name)
            assert dag.params.get_param(name).description, (dag.dag_id, name, param)


def test_going_back_needs_a_reason(stages: dict[str, DAG], use_cases: tuple[UseCase, ...]) -> None:
    for use_case in use_cases:
        given = stages[f"{use_case.name}_rollback"].params.get_param("reason")
        assert not given.has_value
        for unsaid in ("", "  ", "   "):
            with pytest.raises(ParamValidationError):
                given.resolve(unsaid)
        assert given.resolve("wrong prices") == "wrong prices"


def test_a_promotion_asks_only_where_the_spec_says_so_and_in_good_time(housing: UseCase) -> None:
    gate = housing.gate.model_copy(update={"approval": "required", "approval_hours": 48.0})
    asking, automatic = promote_dag(housing.model_copy(update={"gate": gate})), promote_dag(housing)

    question = asking.get_task("ask_approval")
    assert isinstance(question, HITLOperator)
    assert question.response_timeout == timedelta(hours=48)
    assert question.defaults == ["Reject"], "no answer is a no"
    assert set(question.params) == {"answer_reason"}
    assert asking.dagrun_timeout is not None
    assert asking.dagrun_timeout > question.response_timeout
    assert not {task.task_id for task in automatic.tasks} & {"ask_approval", "record_ruling", "report_ruling"}


def test_nothing_is_deployed_before_what_was_decided_and_said_is_in_the_ledger(housing: UseCase) -> None:
    gate = housing.gate.model_copy(update={"approval": "required"})
    for dag, last in ((promote_dag(housing.model_copy(update={"gate": gate})), "record_ruling"),
                      (promote_dag(housing), "decide_promotion")):  # fmt: skip
        for task_id in ("begin_canary", "deploy"):
            task = dag.get_task(task_id)
            assert last in {each.task_id for each in task.get_flat_relatives(upstream=True)}
            assert task.trigger_rule == "none_failed", "it runs after a question that needed no answer"


def monitored(housing: UseCase, **responses: str) -> DAG:
    """The monitoring DAG under a policy with these responses."""
    kinds = {
        kind: getattr(housing.monitoring, kind).model_copy(update={"response": responses[kind]}) for kind in responses
    }
    return monitor_dag(housing.model_copy(update={"monitoring": housing.monitoring.model_copy(update=kinds)}))


def test_a_check_that_fails_hides_no_other_and_fails_the_run_all_the_same(housing: UseCase) -> None:
    dag = monitored(housing)
    checks = {"check_performance", "check_drift", "check_quality"}

    assert dag.get_task("check_drift").trigger_rule == dag.get_task("check_quality").trigger_rule == "all_done"
    assert dag.get_task("respond").trigger_rule == "all_done"
    assert dag.get_task("respond").upstream_task_ids == checks
    conclude = dag.get_task("conclude")
    assert (conclude.upstream_task_ids, conclude.downstream_task_ids) == (checks, set())
    assert conclude.trigger_rule == "all_success", "a run is as good as its last tasks"


def test_only_what_the_policy_can_lead_to_is_in_the_monitoring_dag(housing: UseCase) -> None:
    asking = {"compose_question", "ask_retraining", "record_answer"}
    training = {"decide_training", "begin_training"}

    assert not (asking | training) & set(monitored(housing, drift="alert", quality="nothing").task_ids)
    retraining = monitored(housing, performance="retrain")
    assert training < set(retraining.task_ids)
    assert not asking & set(retraining.task_ids)
    assert retraining.get_task("begin_training").trigger_dag_id == "housing_train"
    assert asking | training < set(monitored(housing, drift="approval", performance="retrain").task_ids)


def test_a_question_about_a_training_is_over_before_the_next_days_checks(housing: UseCase) -> None:
    dag = monitored(housing, drift="approval")

    question = dag.get_task("ask_retraining")
    assert isinstance(question, HITLOperator)
    assert question.response_timeout is not None
    assert question.response_timeout < timedelta(days=1)
    assert question.defaults == ["Leave it"], "no answer is a no"
    assert dag.dagrun_timeout is not None
    assert question.response_timeout < dag.dagrun_timeout < timedelta(days=1)


def test_schedules_are_those_of_the_spec(stages: dict[str, DAG], use_cases: tuple[UseCase, ...]) -> None:
    for use_case in use_cases:
        for stage in ("ingest", "train", "monitor"):
            expression = stages[f"{use_case.name}_{stage}"].schedule.expression  # type: ignore[union-attr]
            assert expression == getattr(use_case.schedule, stage)


def test_a_search_has_as_many_workers_as_the_settings_say(
    stages: dict[str, DAG], use_cases: tuple[UseCase, ...]
) -> None:
    for use_case in use_cases:
        search = stages[f"{use_case.name}_train"].get_task("search")
        assert isinstance(search, MappedOperator)
        assert search.op_kwargs_expand_input.value["worker"] == list(range(1, settings().search_workers + 1))


def test_a_training_that_needs_no_search_registers_all_the_same(
    stages: dict[str, DAG], use_cases: tuple[UseCase, ...]
) -> None:
    for use_case in use_cases:
        dag = stages[f"{use_case.name}_train"]
        assert dag.get_task("register_candidate").trigger_rule == "none_failed"
        assert {task.task_id for task in dag.tasks if task.trigger_rule != "all_success"} == {"register_candidate"}
        assert dag.get_task("register_candidate").upstream_task_ids == {"take_snapshot", "recognise", "search"}


@pytest.mark.parametrize("build", platform_dags, ids=lambda build: build.__name__)
def test_the_platforms_dags_mail_under_their_own_names(build: Callable[[], DAG]) -> None:
    dag = build()

    [told] = dag.on_failure_callback  # type: ignore[misc]  # Airflow keeps what it was given
    assert f"sluice_{told.subject.stage}" == dag.dag_id
