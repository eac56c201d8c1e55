from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest

from sluice.domain.errors import DataError, StateError, TransientError
from sluice.domain.use_case import UseCase
from sluice.training import search
from sluice.training.proposals import TRIES_PER_FAMILY
from sluice.training.search import SearchResult
from sluice.training.snapshots import Part, Rows
from tests.conftest import REPOSITORY, Server
from tests.unit.training.conftest import make_rows, spec


@pytest.fixture
def memory() -> optuna.storages.BaseStorage:
    return optuna.storages.InMemoryStorage()


def tried(result: SearchResult) -> list[tuple[Any, ...]]:
    """What was tried in which order, and how it did."""
    return [(a.family, a.parameters, a.scores) for a in result.attempts]


def test_every_family_is_tried_and_the_best_complete_trial_wins(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    result = search.run(flats, rows.train, "s1", memory)
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
    attempts = search.run(flats, rows.train, "s1", memory).attempts
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
    first, second = (search.run(flats, rows.train, "s1", optuna.storages.InMemoryStorage()) for _ in range(2))
    assert tried(first) == tried(second)
    assert first.best.parameters == second.best.parameters


def test_a_finished_search_is_not_repeated_and_a_larger_budget_goes_on(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    first = search.run(flats, rows.train, "s1", memory, trials=4)
    assert search.run(flats, rows.train, "s1", memory, trials=4) == first
    more = search.run(flats, rows.train, "s1", memory, trials=6)
    assert (len(more.attempts), more.attempts[:4]) == (6, first.attempts)
    assert search.read(flats, "s1", memory) == more


def test_other_rows_or_another_spec_are_another_study(flats: UseCase) -> None:
    other = spec(training={"seed": 4})
    names = {search.study_name(flats, "s1"), search.study_name(flats, "s2"), search.study_name(other, "s1")}
    assert len(names) == 3


def test_progress_is_said_after_every_trial(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="sluice.training.search"):
        search.run(flats, rows.train, "s1", memory, trials=3)
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("trial ")]
    assert [line.split(":")[0] for line in lines] == ["trial 1/3", "trial 2/3", "trial 3/3"]


def test_a_time_limit_without_a_complete_trial_is_an_error_that_says_so(
    rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    hurried = spec(training={"time_limit_minutes": 1e-9})
    with pytest.raises(DataError, match="time_limit_minutes"):
        search.run(hurried, rows.train, "s1", memory)


def test_reading_a_search_that_never_ran_is_an_error(flats: UseCase, memory: optuna.storages.BaseStorage) -> None:
    with pytest.raises(StateError, match="search first"):
        search.read(flats, "s1", memory)


def test_a_database_that_does_not_answer_may_be_tried_again() -> None:
    with (
        pytest.raises(TransientError, match=r"127\.0\.0\.1:1/") as caught,
        search.storage("postgresql://sluice:secret@127.0.0.1:1/optuna"),
    ):
        pass
    assert "secret" not in str(caught.value)


RUN = """
import logging, sys
from pathlib import Path
import pandas as pd
from sluice.domain.use_case import UseCase
from sluice.training import search
from sluice.training.snapshots import Rows

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
use_case = UseCase.model_validate_json(Path(sys.argv[1]).read_text())
rows = Rows.of(use_case, pd.read_parquet(sys.argv[2]))
with search.storage(sys.argv[3], heartbeat=1, grace=2) as database:
    search.run(use_case, rows.train, "s1", database)
"""


def test_a_search_that_is_killed_goes_on_without_repeating_a_finished_trial(
    postgres_server: Server, tmp_path: Path
) -> None:
    # Boosting that takes long enough to be killed in the middle of a trial.
    use_case = spec(
        training={
            "families": {
                "ridge": {"alpha": {"low": 0.01, "high": 10.0, "log": True}},
                "hist_gradient_boosting": {"max_iter": {"low": 90, "high": 120}, "learning_rate": 0.1},
            },
            "trials": 8,
        }
    )
    frame = make_rows(1500)
    dsn = postgres_server.create("optuna_killed")
    (tmp_path / "spec.json").write_text(use_case.model_dump_json())
    frame.to_parquet(tmp_path / "rows.parquet")
    killed = _killed_in_the_fifth_trial(tmp_path, dsn)
    time.sleep(3)  # until the dead trial's heartbeat is older than its grace

    train = Rows.of(use_case, frame).train
    with search.storage(dsn, heartbeat=1, grace=2) as database:
        before = search.read(use_case, "s1", database)
        after = search.run(use_case, train, "s1", database)
        states = [t.state.name for t in optuna.load_study(study_name=after.study, storage=database).trials]

    assert killed >= 4
    assert after.attempts[: len(before.attempts)] == before.attempts
    assert len(after.attempts) == 8
    assert states.count("FAIL") == 1
    undisturbed = search.run(use_case, train, "s1", optuna.storages.InMemoryStorage())
    assert tried(after) == tried(undisturbed)


def _killed_in_the_fifth_trial(folder: Path, dsn: str) -> int:
    """Run a search in a process of its own, kill it, and return how many trials it had finished."""
    command = [sys.executable, "-c", RUN, str(folder / "spec.json"), str(folder / "rows.parquet"), dsn]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    finished = 0
    for line in process.stdout:
        if found := re.match(r"trial (\d+)/8", line):
            finished = int(found[1])
        if finished == 4:
            time.sleep(0.3)
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    process.wait(30)
    return finished


def test_a_proposal_whose_answers_overflow_loses_and_does_not_end_the_search(
    flats: UseCase, rows: Rows, memory: optuna.storages.BaseStorage
) -> None:
    # Over a fold of one wild row a linear model of the logarithm answers with infinity.
    wild = rows.train.inputs.copy()
    wild.loc[0, "area"] = 1e7
    result = search.run(flats, Part(wild, rows.train.target, rows.train.identity), "s1", memory)
    assert result.best.family == "hist_gradient_boosting"
    ridge = next(a for a in result.attempts if a.family == "ridge")
    assert ridge.mean > 1e100
