"""The publishing DAG is there where the settings name a place, beside the promotion and never in it."""

from collections.abc import Callable, Iterator

import pytest
from airflow.sdk import DAG, Asset, AssetAny

from sluice.domain.use_case import UseCase
from sluice.orchestration import assets
from sluice.orchestration.monitor import monitor_dag
from sluice.orchestration.promote import promote_dag
from sluice.orchestration.publish import publish_dag
from sluice.settings import settings

REPOSITORY = {"HUGGINGFACE_REPOSITORY": "acme/{use_case}"}
WORKSPACE = {"EVIDENTLY_URL": "http://127.0.0.1:1"}
ALL = REPOSITORY | WORKSPACE | {"HUGGINGFACE_SPACE": "acme/{use_case}-service", "WANDB_PROJECT": "acme/sluice"}

Named = Callable[[dict[str, str]], None]


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Iterator[Named]:
    """Names places in the settings."""

    def name(places: dict[str, str]) -> None:
        for setting, place in places.items():
            monkeypatch.setenv(f"SLUICE_PUBLISH_{setting}", place)
        settings.cache_clear()

    yield name
    settings.cache_clear()


def published(use_case: UseCase) -> DAG:
    dag = publish_dag(use_case)
    assert dag is not None
    return dag


def starters(dag: DAG) -> set[str]:
    """What starts it, any of which does."""
    timetable = dag.timetable
    condition = getattr(timetable, "asset_condition", timetable)
    assert isinstance(condition, AssetAny)
    return {each.name for each in condition.objects if isinstance(each, Asset)}


def test_nothing_is_published_unless_a_setting_says_where(housing: UseCase) -> None:
    assert publish_dag(housing) is None
    assert not monitor_dag(housing).get_task("check_drift").outlets


@pytest.mark.parametrize(
    ("places", "tasks"),
    [
        (REPOSITORY, {"publish_model"}),
        (WORKSPACE, {"publish_reports"}),
        (ALL, {"publish_model", "publish_space", "publish_run", "publish_reports"}),
    ],
    ids=["a repository", "a workspace", "everything"],
)
def test_it_has_a_task_for_each_place_and_none_waits_for_another(
    housing: UseCase, named: Named, places: dict[str, str], tasks: set[str]
) -> None:
    named(places)

    dag = published(housing)

    assert set(dag.task_ids) == tasks
    for task in dag.tasks:
        assert not task.upstream_task_ids
        assert task.retries
        assert task.execution_timeout
        [told] = task.on_failure_callback  # type: ignore[misc]  # Airflow keeps what it was given
        assert told.subject.kind == "publishing_failed"


@pytest.mark.parametrize(
    ("places", "what"),
    [
        (REPOSITORY, {"housing_champion"}),
        (WORKSPACE, {"housing_drift_report"}),
        (ALL, {"housing_champion", "housing_drift_report"}),
    ],
    ids=["a repository", "a workspace", "everything"],
)
def test_what_serves_and_what_was_checked_start_it(
    housing: UseCase, named: Named, places: dict[str, str], what: set[str]
) -> None:
    named(places)

    assert starters(published(housing)) == what


def test_the_promotion_is_the_same_whatever_is_published(housing: UseCase, named: Named) -> None:
    before = set(promote_dag(housing).task_ids)
    named(ALL)

    promotion = promote_dag(housing)

    assert set(promotion.task_ids) == before
    assert assets.champion(housing) in promotion.get_task("confirm_live").outlets
    assert monitor_dag(housing).get_task("check_drift").outlets == [assets.drift_report(housing)]
