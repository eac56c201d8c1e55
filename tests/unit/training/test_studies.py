from __future__ import annotations

import threading
import time

import optuna
import pytest

from sluice.domain.errors import StateError, TransientError
from sluice.domain.use_case import UseCase
from sluice.training import provenance, studies
from sluice.training.choices import Choices, Findings
from tests.conftest import Server
from tests.unit.training.conftest import spec

FINDINGS = Findings(
    Choices("knn", {"places": 7}), ("knn errs least",), {"knn": {"rooms": 0.3}}, {"knn": 0.3}, {"places": {7: 0.41}}
)


def test_other_rows_another_spec_or_other_code_are_another_study(
    flats: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = spec(training={"seed": 4})
    names = {studies.study_name(flats, "s1"), studies.study_name(flats, "s2"), studies.study_name(other, "s1")}
    monkeypatch.setattr(provenance, "code_sha256", lambda: "0" * 64)
    names.add(studies.study_name(flats, "s1"))
    assert len(names) == 4


def test_a_study_that_was_never_opened_is_none_and_getting_it_an_error(flats: UseCase) -> None:
    memory = optuna.storages.InMemoryStorage()
    assert studies.find(flats, "s1", memory) is None
    with pytest.raises(StateError, match="search first"):
        studies.get(flats, "s1", memory)


def test_a_study_that_was_killed_before_it_knew_its_findings_is_opened_anew(flats: UseCase) -> None:
    memory = optuna.storages.InMemoryStorage()
    optuna.create_study(study_name=studies.study_name(flats, "s1"), storage=memory)
    assert studies.find(flats, "s1", memory) is None
    assert studies.create(flats, "s1", memory, FINDINGS).findings == FINDINGS


def test_findings_survive_the_database_as_they_are(flats: UseCase, postgres_server: Server) -> None:
    with studies.storage(postgres_server.create("optuna_findings")) as database:
        studies.create(flats, "s1", database, FINDINGS)
        found = studies.find(flats, "s1", database)
    assert found is not None
    assert found.findings == FINDINGS


def test_a_database_that_does_not_answer_may_be_tried_again() -> None:
    with (
        pytest.raises(TransientError, match=r"127\.0\.0\.1:1/") as caught,
        studies.storage("postgresql://sluice:secret@127.0.0.1:1/optuna"),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_a_turn_that_never_ends_is_given_up_and_may_be_tried_again(
    flats: UseCase, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "TURN_SECONDS", 1)
    with studies.storage(postgres_server.create("optuna_turns")) as database:
        study = studies.create(flats, "s1", database, FINDINGS)
        with study.turn(), pytest.raises(TransientError, match="no turn"), study.turn():
            pass
        with study.turn():
            pass


def test_workers_take_turns(flats: UseCase, postgres_server: Server) -> None:
    inside: list[int] = []
    most = []

    def work() -> None:
        for _ in range(5):
            with study.turn():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.01)
                inside.pop()

    with studies.storage(postgres_server.create("optuna_in_turn")) as database:
        study = studies.create(flats, "s1", database, FINDINGS)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(most), max(most)) == (15, 1)


def test_a_budget_that_is_taken_gives_no_place(flats: UseCase) -> None:
    study = studies.create(flats, "s1", optuna.storages.InMemoryStorage(), FINDINGS)
    begun = []
    for _ in range(3):
        place = study.next_place(3, [{"family": "ridge"}])
        trial = study.record.ask()
        trial.set_user_attr("parameters", {})
        begun.append((place, study.record.trials[trial.number].system_attrs["fixed_params"]))
    assert begun == [(0, {"family": "ridge"}), (1, {}), (2, {})]
    assert study.next_place(3, [{"family": "ridge"}]) is None
