from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from sluice.adapters.metrics import METRICS
from sluice.domain.errors import DataError, StateError
from sluice.domain.use_case import UseCase
from sluice.training import families, folds, proposals, provenance, search, studies
from sluice.training.choices import Choices, Findings
from sluice.training.proposals import TRIES_PER_FAMILY
from sluice.training.search import SearchResult
from sluice.training.snapshots import Part, Rows
from sluice.training.studies import Study
from tests.conftest import REPOSITORY, Server
from tests.unit.training.conftest import make_rows, spec

FINDINGS = Findings(Choices("median", {}), ("the median, because nothing is known better",), {}, {}, {})


@pytest.fixture
def memory() -> optuna.storages.BaseStorage:
    return optuna.storages.InMemoryStorage()


def searched(
    use_case: UseCase, train: Part, database: optuna.storages.BaseStorage, trials: int | None = None
) -> SearchResult:
    """One worker's search of a study that is opened for it."""
    return finished(use_case, train, search.open_study(use_case, "s1", database, FINDINGS), trials)


def finished(use_case: UseCase, train: Part, study: Study, trials: int | None = None) -> SearchResult:
    """What a study has found when a worker has done its part."""
    search.run(use_case, train, study, trials)
    return search.result(use_case, study)


def tried(result: SearchResult) -> list[tuple[Any, ...]]:
    """What was tried in which order, and how it did."""
    return [(a.family, a.parameters, a.scores) for a in result.attempts]


def test_every_family_is_tried_and_the_best_complete_trial_wins(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    result = searched(flats, rows.train, memory)
    assert len(result.attempts) == flats.training.trials
    for family in flats.training.families:
        assert sum(a.family == family for a in result.attempts) >= TRIES_PER_FAMILY
    complete = [a for a in result.attempts if not a.pruned]
    assert result.best in complete
    assert result.best.mean == min(a.mean for a in complete)
    assert all(len(a.scores) == flats.training.folds for a in complete)
    assert all(a.seconds > 0 for a in result.attempts)


def test_proposals_differ_and_stay_within_the_declared_space(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    attempts = searched(flats, rows.train, memory).attempts
    assert len({(a.family, *a.parameters.items()) for a in attempts}) == len(attempts)
    for attempt in attempts:
        found = attempt.parameters
        if attempt.family == "ridge":
            assert 0.01 <= float(found["alpha"]) <= 10
        else:
            assert 0.05 <= float(found["learning_rate"]) <= 0.3
            assert isinstance(found["max_iter"], int)
            assert 10 <= found["max_iter"] <= 30
            assert found["max_leaf_nodes"] in (7, 15)
            assert found["min_samples_leaf"] == 10


def test_the_same_seed_and_rows_find_the_same(flats: UseCase, rows: Rows) -> None:
    first, second = (searched(flats, rows.train, optuna.storages.InMemoryStorage()) for _ in range(2))
    assert tried(first) == tried(second)
    assert first.best.parameters == second.best.parameters


def test_a_finished_search_is_not_repeated_and_a_larger_budget_goes_on(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    first = searched(flats, rows.train, memory, trials=4)
    assert searched(flats, rows.train, memory, trials=4) == first
    more = searched(flats, rows.train, memory, trials=6)
    assert (len(more.attempts), more.attempts[:4]) == (6, first.attempts)
    assert search.read(flats, "s1", memory) == more


def test_progress_is_said_after_every_trial(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="sluice.training.search"):
        searched(flats, rows.train, memory, trials=3)
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("trial ")]
    assert [line.split(":")[0] for line in lines] == ["trial 1/3", "trial 2/3", "trial 3/3"]


def test_a_time_limit_without_a_complete_trial_is_an_error_that_says_so(
    rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    hurried = spec(training={"time_limit_minutes": 1e-9})
    with pytest.raises(DataError, match="time_limit_minutes"):
        searched(hurried, rows.train, memory)


def test_reading_a_search_that_never_ran_is_an_error(flats: UseCase, memory: optuna.storages.BaseStorage) -> None:
    with pytest.raises(StateError, match="search first"):
        search.read(flats, "s1", memory)


def test_what_the_rows_decided_before_the_first_search_is_kept_with_it(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    first = searched(flats, rows.train, memory, trials=2)
    later = Findings(Choices("mean", {}), (), {}, {}, {})
    assert search.open_study(flats, "s1", memory, later).findings == FINDINGS
    assert (first.findings, first.choices) == (FINDINGS, FINDINGS.choices)
    assert search.read(flats, "s1", memory).findings == FINDINGS


def test_an_attempt_knows_when_it_was_made(flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage) -> None:
    before = datetime.now(UTC)
    attempts = searched(flats, rows.train, memory, trials=3).attempts
    times = [before, *(moment for a in attempts for moment in (a.begun, a.finished)), datetime.now(UTC)]
    assert times == sorted(times)
    assert all(a.begun.utcoffset() == timedelta(0) for a in attempts)


@pytest.mark.parametrize("metric", ["r2", "rmse"])
def test_the_best_has_the_highest_score_where_higher_is_better(
    metric: str, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    use_case = spec(training={"metric": metric, "pruner": "none", "trials": 6})
    result = searched(use_case, rows.train, memory)
    means = [a.mean for a in result.attempts]
    assert result.metric == metric
    assert result.best.mean == (max(means) if metric == "r2" else min(means))
    assert max(means) > min(means)


def test_scores_are_those_of_the_model_on_rows_it_was_not_fitted_on(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    best = searched(flats, rows.train, memory, trials=3).best
    train, training = rows.train, flats.training
    for score, part in zip(best.scores, folds.divide(flats, train, training.folds, training.seed), strict=True):
        model = families.assemble(flats, best.family, best.parameters, FINDINGS.choices)
        model.fit(train.inputs.iloc[part.fit], train.target[part.fit])
        answers = families.scores(flats, model, train.inputs.iloc[part.score])
        assert score == pytest.approx(METRICS["rmse"](train.target[part.score], answers), rel=1e-12)


def test_classes_are_searched_by_their_probabilities(memory: optuna.storages.BaseStorage) -> None:
    use_case, train = _lifts()
    result = searched(use_case, train, memory)
    assert result.metric == "roc_auc"
    assert 0.5 < result.best.mean <= 1
    assert {a.family for a in result.attempts} == {"hist_gradient_boosting", "logistic_regression"}


def _lifts() -> tuple[UseCase, Part]:
    """Whether a flat has a lift, which its rent tells."""
    document = spec().model_dump(mode="json")
    columns = [{**c, "nullable": False} if c["name"] == "lift" else c for c in document["columns"]]
    boosting = {"hist_gradient_boosting": {"max_iter": {"low": 5, "high": 30}, "learning_rate": 0.1}}
    document |= {
        "name": "lifts",
        "task": "binary",
        "target": "lift",
        "positive_label": "true",
        "columns": columns,
        "gate": {"thresholds": {"roc_auc": {"min": 0.5}}},
        "serving": {"example": {"area": 60.0, "rooms": 3, "district": "north", "rent": 900.0}},
        "training": {
            "families": {**boosting, "logistic_regression": {"C": {"low": 0.1, "high": 10.0, "log": True}}},
            "metric": "roc_auc",
            "trials": 6,
            "folds": 3,
        },
    }
    use_case = UseCase.model_validate_json(json.dumps(document))
    frame = make_rows(400)
    return use_case, Rows.of(use_case, frame[frame["lift"].notna()]).train


def test_the_same_study_can_be_searched_by_every_pruner_without_a_warning(rows: Rows) -> None:
    for pruner, fewest in {"median": 1, "hyperband": 1, "wilcoxon": 1, "none": 0}.items():
        use_case = spec(training={"pruner": pruner, "trials": 12, "folds": 6})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = searched(use_case, rows.train, optuna.storages.InMemoryStorage())
        pruned = [a for a in result.attempts if a.pruned]
        assert (len(result.attempts), len(pruned) >= fewest) == (12, True), pruner
        assert fewest or not pruned
        assert all(len(a.scores) < 6 for a in pruned)
        assert not result.best.pruned


def test_wilcoxon_compares_fold_with_fold(rows: Rows, memory: optuna.storages.BaseStorage) -> None:
    use_case = spec(training={"pruner": "wilcoxon", "trials": 2, "folds": 5})
    result = searched(use_case, rows.train, memory)
    record = optuna.load_study(study_name=result.study, storage=memory)
    for attempt in result.attempts:
        assert tuple(record.trials[attempt.number].intermediate_values.values()) == attempt.scores


def test_a_fold_on_which_the_metric_cannot_be_told_is_an_error(rows: Rows, memory: optuna.storages.BaseStorage) -> None:
    use_case = spec(training={"metric": "r2", "target_transform": "none"})
    constant = Part(rows.train.inputs, np.full(len(rows.train), 700.0), rows.train.identity)
    with pytest.raises(DataError, match="r2 cannot be told on a fold"):
        searched(use_case, constant, memory)


@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_a_proposal_whose_answers_overflow_loses_and_does_not_end_the_search(
    metric: str, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    # Over a fold of one wild row a linear model of the logarithm answers with infinity.
    use_case = spec(training={"metric": metric})
    wild = rows.train.inputs.copy()
    wild.loc[0, "area"] = 1e7
    result = searched(use_case, Part(wild, rows.train.target, rows.train.identity), memory)
    assert result.best.family == "hist_gradient_boosting"
    ridge = next(a for a in result.attempts if a.family == "ridge")
    assert abs(ridge.mean) > 1e100


RUN = """
import logging, sys
from pathlib import Path
import pandas as pd
from sluice.domain.use_case import UseCase
from sluice.training import provenance, search, studies
from sluice.training.snapshots import Rows

# Whoever edits the code while this runs shall not change the study's name.
provenance.code_sha256 = lambda: sys.argv[4]
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
use_case = UseCase.model_validate_json(Path(sys.argv[1]).read_text())
rows = Rows.of(use_case, pd.read_parquet(sys.argv[2]))
with studies.storage(sys.argv[3], heartbeat=1, grace=2) as database:
    print("ready", flush=True)
    sys.stdin.readline()
    search.run(use_case, rows.train, studies.get(use_case, "s1", database))
"""

#: Boosting that takes long enough to be killed in the middle of a trial.
SLOW = spec(
    training={
        "families": {
            "ridge": {"alpha": {"low": 0.01, "high": 10.0, "log": True}},
            "hist_gradient_boosting": {
                "max_iter": {"low": 90, "high": 120},
                "learning_rate": {"low": 0.05, "high": 0.2},
            },
        },
        "trials": 10,
        "pruner": "none",
    }
)


def begin(worker: subprocess.Popen[str]) -> None:
    """Let a worker begin to search."""
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()


class Office:
    """A study in Postgres, and the processes that work on it."""

    def __init__(self, folder: Path, dsn: str, frame: pd.DataFrame) -> None:
        self.dsn = dsn
        self.train = Rows.of(SLOW, frame).train
        self._files = folder / "spec.json", folder / "rows.parquet"
        self._files[0].write_text(SLOW.model_dump_json())
        frame.to_parquet(self._files[1])
        with self.open() as database:
            search.open_study(SLOW, "s1", database, FINDINGS)

    @contextmanager
    def open(self) -> Iterator[optuna.storages.RDBStorage]:
        with studies.storage(self.dsn, heartbeat=1, grace=2) as database:
            yield database

    @contextmanager
    def worker(self, waits: bool = False) -> Iterator[subprocess.Popen[str]]:
        """A process that searches, at once or on a line of input; gone when the block ends."""
        command = [sys.executable, "-c", RUN, *map(str, self._files), self.dsn, provenance.code_sha256()]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                if not waits:
                    begin(process)
                yield process
            finally:
                process.kill()

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        with self.open() as database:
            return list(studies.get(SLOW, "s1", database).record.trials)

    def result(self) -> SearchResult:
        with self.open() as database:
            return search.read(SLOW, "s1", database)

    def kill_in_a_trial(self, process: subprocess.Popen[str], finished: int) -> None:
        """Kill the only worker in the middle of a trial, once so many are finished."""

        def in_a_trial() -> bool:
            found = study.record.get_trials(deepcopy=False)
            states = [t.state.name for t in found if "parameters" in t.user_attrs]
            return states.count("COMPLETE") >= finished and "RUNNING" in states

        with self.open() as database:
            study = studies.get(SLOW, "s1", database)
            while process.poll() is None:
                if in_a_trial():
                    process.send_signal(signal.SIGSTOP)
                    if in_a_trial():
                        process.kill()
                        process.wait(30)
                        return
                    process.send_signal(signal.SIGCONT)
                time.sleep(0.02)
        raise AssertionError("the search was over before it could be killed")


@pytest.fixture
def office(postgres_server: Server, tmp_path: Path) -> Office:
    return Office(tmp_path, postgres_server.create(f"optuna_{tmp_path.name}"), make_rows(1500))


def places(trials: list[optuna.trial.FrozenTrial]) -> list[int]:
    """Which places of the budget are filled, in order."""
    return sorted(t.user_attrs["place"] for t in trials if t.state.name in ("COMPLETE", "PRUNED"))


def test_a_search_that_is_killed_goes_on_without_repeating_a_finished_trial(office: Office) -> None:
    with office.worker() as worker:
        office.kill_in_a_trial(worker, 4)
    time.sleep(3)  # until the dead trial's heartbeat is older than its grace

    before = office.result()
    with office.open() as database:
        after = finished(SLOW, office.train, studies.get(SLOW, "s1", database))

    assert 4 <= len(before.attempts) < 10
    assert after.attempts[: len(before.attempts)] == before.attempts
    assert [t.state.name for t in office.trials()].count("FAIL") == 1
    assert places(office.trials()) == list(range(10))
    undisturbed = searched(SLOW, office.train, optuna.storages.InMemoryStorage())
    assert tried(after) == tried(undisturbed)


def test_what_a_worker_was_killed_over_is_tried_by_one_of_the_others(office: Office) -> None:
    with office.worker() as worker:
        office.kill_in_a_trial(worker, 3)
    before = office.result()
    with office.worker() as first, office.worker() as second:
        assert [first.wait(120), second.wait(120)] == [0, 0]

    trials = office.trials()
    [dead] = [t for t in trials if t.state.name == "FAIL"]
    [again] = [t for t in trials if t.user_attrs["place"] == dead.user_attrs["place"] and t is not dead]
    assert (again.state.name, again.params) == ("COMPLETE", dead.params)
    assert places(trials) == list(range(10))
    assert set(map(repr, before.attempts)) <= set(map(repr, office.result().attempts))


def test_a_worker_waits_for_the_trial_of_another_and_tries_it_if_that_dies(office: Office) -> None:
    with office.open() as database:
        study = studies.get(SLOW, "s1", database)
        place = study.next_place(2, proposals.starts(SLOW.training.families, SLOW.task))
        with pytest.warns(UserWarning, match="Heartbeat"):
            other = study.record.ask()
        proposals.propose(other, SLOW.training.families)
        other.set_user_attr("parameters", {})
        database.record_heartbeat(other._trial_id)  # noqa: SLF001 - what keeps its process counted as alive
        begun = time.monotonic()
        result = finished(SLOW, office.train, study, trials=2)

    again = office.trials()[-1]
    assert time.monotonic() - begun > 2, "the other worker was given no grace"
    assert len(result.attempts) == 2
    assert (again.user_attrs["place"], again.params) == (place, other.params)


def test_three_workers_share_a_budget_and_repeat_nothing(office: Office) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(office.worker(waits=True)) for _ in range(3)]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            begin(worker)
        said = [worker.communicate(timeout=120)[0] for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sum("trial " in text for text in said) > 1, "one worker did everything"
    attempts = office.result().attempts
    assert any(a.begun < b.begun < a.finished for a in attempts for b in attempts), "they worked one after the other"
    trials = office.trials()
    assert places(trials) == list(range(10))
    assert len(trials) == 10
    assert len({tuple(sorted(t.params.items())) for t in trials}) == 10
    starts = proposals.starts(SLOW.training.families, SLOW.task)
    for place, start in enumerate(starts):
        [filled] = [t for t in trials if t.user_attrs["place"] == place]
        assert filled.params == filled.params | start


def test_a_worker_that_died_in_its_turn_does_not_stop_the_others(office: Office) -> None:
    # Begun, but without a proposal and a heartbeat yet.
    with office.open() as database:
        record = studies.get(SLOW, "s1", database).record
        record.enqueue_trial({"family": "hist_gradient_boosting"}, user_attrs={"place": 0})
        with pytest.warns(UserWarning, match="Heartbeat"):
            record.ask()
        result = finished(SLOW, office.train, studies.get(SLOW, "s1", database), trials=2)

    assert len(result.attempts) == 2
    assert [t.state.name for t in office.trials()].count("FAIL") == 1


def test_a_proposal_that_killed_two_workers_makes_room_for_another(office: Office) -> None:
    with office.open() as database:
        study = studies.get(SLOW, "s1", database)
        starts = proposals.starts(SLOW.training.families, SLOW.task)
        for _ in range(2):
            place = study.next_place(1, starts)
            with pytest.warns(UserWarning, match="Heartbeat"):
                deadly = study.record.ask()
            proposals.propose(deadly, SLOW.training.families)
            study.record.tell(deadly.number, state=optuna.trial.TrialState.FAIL)
        result = finished(SLOW, office.train, study, trials=1)

    [attempt] = result.attempts
    assert office.trials()[-1].user_attrs["place"] == place
    assert attempt.parameters != {
        name.split(".")[1]: value for name, value in deadly.params.items() if name != "family"
    }


def test_a_worker_whose_time_is_over_leaves_the_last_trial_to_the_one_who_has_it(office: Office) -> None:
    hurried = spec(training={"families": {"ridge": {}}, "time_limit_minutes": 0.02})
    with office.open() as database:
        study = search.open_study(hurried, "s1", database, FINDINGS)
        study.next_place(1, proposals.starts(hurried.training.families, hurried.task))
        with pytest.warns(UserWarning, match="Heartbeat"):
            other = study.record.ask()
        proposals.propose(other, hurried.training.families)
        other.set_user_attr("parameters", {})
        database.record_heartbeat(other._trial_id)  # noqa: SLF001 - what keeps its process counted as alive

        assert search.run(hurried, office.train, study, trials=1) == 0
        with pytest.raises(DataError, match="no trial was complete"):
            search.result(hurried, study)


def test_an_error_of_one_trial_leaves_its_place_to_the_next_worker(
    rows: Rows, memory: optuna.storages.BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = spec(training={"pruner": "none"})
    with monkeypatch.context() as patch:
        patch.setattr(families, "assemble", _fails_the_third_time(families.assemble, use_case.training.folds))
        with pytest.raises(MemoryError):
            searched(use_case, rows.train, memory)

    result = searched(use_case, rows.train, memory)

    assert len(result.attempts) == use_case.training.trials
    assert tried(result) == tried(searched(use_case, rows.train, optuna.storages.InMemoryStorage()))


def _fails_the_third_time(assemble: Any, folds: int) -> Any:
    calls: list[int] = []

    def fails(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 2 * folds:
            raise MemoryError
        return assemble(*arguments)

    return fails
