"""A replay from end to end, through every real stage: `SHORTENED` times fewer days than `make soak` has.

The small use case goes through six days instead of sixty; all tests look at the same ones. The scenarios that ship are
replayed in full by `tests/integration/test_replay.py`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from sluice.adapters.bundles import score
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.orchestration.replay import outcome, page
from sluice.orchestration.replay.days import Days
from sluice.orchestration.replay.journey import EPOCH, Journey
from sluice.orchestration.replay.record import Day
from sluice.orchestration.replay.stages import Place
from tests.bentos.servers import Mlflow
from tests.conftest import REPOSITORY, STATEMENTS, Server
from tests.unit.orchestration.replay.conftest import world

SHORTENED = 10
DAYS = 60 // SHORTENED
CHANGED = 3


@dataclass(frozen=True)
class Replayed:
    """A replay that is over."""

    place: Place
    world: Days
    journey: Journey
    days: tuple[Day, ...]


@pytest.fixture(scope="module")
def replayed(
    postgres_server: Server,
    registry: Mlflow,
    lets: UseCase,
    great_expectations: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Replayed:
    folder = tmp_path_factory.mktemp("replay")
    place = Place(
        warehouse=Warehouse(postgres_server.create("replayed", "migrated"), STATEMENTS),
        tracking=Tracking(registry.url),
        store=ObjectStore(f"file://{folder / 'store'}"),
        optuna_dsn=postgres_server.create("replayed_studies"),
        service=REPOSITORY / "bentos" / "tabular",
        folder=folder,
    )
    drifting = world(
        lets,
        {"from_day": CHANGED, "shift": 1.5, "concept": {"scale": 1.3}},
        label_delay_days=0,
        extract_days=1,
        # A few hundred rows lie farther apart by chance than the usual thresholds allow.
        monitoring={"drift": {"response": "retrain", "numerical": 0.3, "categorical": 0.3}},
        expected={"breach": "drift", "found_within_days": 1, "retrainings": [1, 1], "promotions": 1},
    )
    journey = Journey(place, drifting)
    with threadpool_limits(limits=1):
        days = journey.run(DAYS)
    return Replayed(place, drifting, journey, days)


def test_every_day_is_lived_and_the_change_is_found_on_its_first(replayed: Replayed) -> None:
    drifted = [day.number for day in replayed.days[1:] if day.checks["drift"].verdict == "drifted"]

    assert [day.number for day in replayed.days] == list(range(DAYS + 1))
    assert drifted[0] == CHANGED
    assert not any(day.alarms for day in replayed.days[1:CHANGED])


def test_the_drift_is_answered_by_one_training_that_the_gate_lets_through(replayed: Replayed) -> None:
    [(day, training)] = replayed.journey.retrainings

    assert (day, training.breach, training.code) == (CHANGED, "drift", "promote")
    decisions = replayed.place.warehouse.rows("SELECT version, code FROM ml.decisions ORDER BY decision_id")
    assert [(row["version"], row["code"]) for row in decisions] == [(1, "promote"), (training.version, "promote")]


def test_what_was_promoted_answers_from_the_next_day_on(replayed: Replayed) -> None:
    for today, tomorrow in pairwise(replayed.days):
        promoted = today.training is not None and today.training.promoted
        assert tomorrow.version == (today.training.version if today.training and promoted else today.version)
    moves = replayed.place.warehouse.rows("SELECT to_version FROM ml.deployments ORDER BY deployment_id")
    assert moves[-1]["to_version"] == replayed.days[-1].version


def test_there_is_no_drift_any_more_once_the_new_world_is_learned(replayed: Replayed) -> None:
    assert {day.checks["drift"].verdict for day in replayed.days[CHANGED + 1 :]} == {"stable"}


def test_one_drift_is_one_mail(replayed: Replayed) -> None:
    alarms = [day.checks["drift"] for day in replayed.days[1:] if day.checks["drift"].alarmed]

    assert [check.mailed for check in alarms] == [True] + [False] * (len(alarms) - 1)


def test_the_log_holds_what_was_asked_and_what_the_release_says_of_it(replayed: Replayed) -> None:
    rows, warehouse = replayed.world.asked(1), replayed.place.warehouse
    window = {"start": EPOCH + timedelta(days=1), "end": EPOCH + timedelta(days=2)}
    query = "SELECT features, prediction, model_version FROM serving.predictions"

    found = warehouse.rows(query + " WHERE predicted_at >= %(start)s AND predicted_at < %(end)s", window)

    release = replayed.journey.releases[0]
    said = score(release.bundle, rows[[column.name for column in replayed.world.use_case.inputs]])
    assert {each["model_version"] for each in found} == {release.version}
    assert sorted(each["features"]["area"] for each in found) == sorted(rows["area"])
    assert np.allclose(sorted(each["prediction"] for each in found), sorted(said))


def test_each_label_stands_beside_its_own_prediction_and_comes_at_the_end_of_the_day(replayed: Replayed) -> None:
    # Few rows are alike in all of their inputs, but some are.
    truth = defaultdict(set)
    for number in range(1, DAYS + 1):
        for row in replayed.world.asked(number).itertuples():
            truth[row.area, row.age, row.storeys, row.district].add(row.rent)

    found = replayed.place.warehouse.rows(
        "SELECT features, true_number, received_at - predicted_at AS delay FROM serving.labelled"
    )

    assert len(found) == sum(day.asked for day in replayed.days)
    for each in found:
        asked = each["features"]
        assert each["true_number"] in truth[asked["area"], asked["age"], asked["storeys"], asked["district"]]
        assert timedelta(0) < each["delay"] <= timedelta(days=1)


def test_the_estimate_is_held_against_what_was_realised(replayed: Replayed) -> None:
    told = [day.estimate_holds for day in replayed.days[1:CHANGED]]

    assert told == [True] * (CHANGED - 1)


def test_its_page_and_its_verdict_can_be_had(replayed: Replayed, tmp_path: Path) -> None:
    judged = outcome.judge(replayed.world.scenario, replayed.days[1:], replayed.journey.retrainings, 7)

    (tmp_path / "index.html").write_text(page.render(replayed.world, replayed.days, judged, 30))

    assert [each.what for each in judged if not each.met and "estimates" not in each.what] == []
