"""The search: which family and which hyper-parameters predict best, by cross-validation."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from sluice.domain.errors import DataError
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import proposals, studies
from sluice.training.choices import Choices, Findings
from sluice.training.objective import Objective
from sluice.training.snapshots import Part
from sluice.training.studies import FINISHED, Study

log = logging.getLogger(__name__)

#: Seconds between two looks at whether the trials of other workers are finished.
_PATIENCE = 0.5


@dataclass(frozen=True)
class Attempt:
    """One finished trial.

    Attributes:
        number: Its number in the study.
        family: Which estimator.
        parameters: Its hyper-parameters.
        scores: The metric on each fold that was scored, in order; an error in the target's unit.
        seconds: How long the folds took.
        begun: When it was begun, in UTC.
        finished: When it was finished, in UTC.
        state: `pruned` where it was given up before its last fold.
    """

    number: int
    family: Family
    parameters: dict[str, int | float | str]
    scores: tuple[float, ...]
    seconds: float
    begun: datetime
    finished: datetime
    state: Literal["complete", "pruned"]

    @property
    def pruned(self) -> bool:
        """Whether it was given up before its last fold."""
        return self.state == "pruned"

    @property
    def mean(self) -> float:
        """The mean of the folds."""
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float:
        """The standard deviation of the folds."""
        return float(np.std(self.scores))


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        study: Its name in the storage.
        metric: What was improved.
        best: The complete attempt with the best mean.
        attempts: Every finished one, in the order they were begun.
        findings: What the train rows decided before the search, and why.
    """

    study: str
    metric: str
    best: Attempt
    attempts: tuple[Attempt, ...]
    findings: Findings

    @property
    def choices(self) -> Choices:
        """What the train rows decided about the features; every attempt was made with it."""
        return self.findings.choices


def open_study(use_case: UseCase, snapshot_id: str, database: BaseStorage, findings: Findings) -> Study:
    """Make the study of a use case on a snapshot, or find it as it is.

    Args:
        use_case: Declares the metric, and with it the direction.
        snapshot_id: Names the rows.
        database: Where studies live; see `studies.storage`.
        findings: What the train rows decided; kept in the study, for every worker and for the final fit. A study
            that is there already keeps its own.
    """
    _quiet()
    return studies.create(use_case, snapshot_id, database, findings)


def run(use_case: UseCase, train: Part, study: Study, trials: int | None = None) -> int:
    """Draw and score trials until the study's budget of finished ones is spent or the time is over.

    Any number of workers may run this on one study at once, each in its own process: they draw in turns, never
    finish more trials than the budget, and end together, because the proposal of a worker that dies is tried by
    another. Finished trials are never repeated. With one worker, a trial's proposal follows from the seed and the
    trials before it, so that a resumed search finds what an undisturbed one would.

    Args:
        use_case: Declares the families, their spaces, the folds and the budget.
        train: The rows to fit and score on.
        study: Of this use case on these rows.
        trials: A budget other than the spec's.

    Returns:
        How many trials are finished; another worker's last one may still run where the time was over.

    Raises:
        DataError: The metric cannot be told.
        TransientError: The database does not answer.
    """
    _quiet()
    training = use_case.training
    budget = trials or training.trials
    deadline = time.monotonic() + training.time_limit_minutes * 60
    log.info("study %s: %d of %d trials are finished", study.name, study.finished, budget)
    # One thread: results do not depend on the machine's cores, and parallel workers do not fight over them.
    with threadpool_limits(limits=1):
        worker = _Worker(use_case, train, study, budget)
        while time.monotonic() < deadline and worker.work():
            pass
    if study.finished < budget:
        log.warning("the time limit of %g minutes ended the search", training.time_limit_minutes)
    return study.finished


def read(use_case: UseCase, snapshot_id: str, database: BaseStorage) -> SearchResult:
    """The result of a search that was run before.

    Raises:
        StateError: There was none.
        DataError: None of its trials is complete.
    """
    return result(use_case, studies.get(use_case, snapshot_id, database))


def result(use_case: UseCase, study: Study) -> SearchResult:
    """What a study has found so far.

    Raises:
        DataError: None of its trials is complete.
    """
    if not study.trials(TrialState.COMPLETE):
        raise DataError(
            "no trial was complete when the time was over",
            study.name,
            "raise training.time_limit_minutes or narrow the search space",
        )
    return SearchResult(
        study=study.name,
        metric=use_case.search_metric,
        best=_attempt(study.record.best_trial),
        attempts=tuple(_attempt(trial) for trial in study.trials(*FINISHED)),
        findings=study.findings,
    )


class _Worker:
    """One of those that draw from a study."""

    def __init__(self, use_case: UseCase, train: Part, study: Study, budget: int) -> None:
        self._use_case = use_case
        self._study = study
        self._budget = budget
        self._starts = proposals.starts(use_case.training.families, use_case.task)
        self._turn = ExitStack()
        self._objective = Objective(use_case, train, study.findings.choices, drawn=self._turn.close)

    def work(self) -> bool:
        """Draw and score one trial, or wait a moment for those of others; False where there is nothing left."""
        with self._turn:
            self._turn.enter_context(self._study.turn())
            place = self._study.next_place(self._budget, self._starts)
            if place is not None:
                self._score(place)
                return True
            others = bool(self._study.trials(TrialState.RUNNING))
        if others:
            time.sleep(_PATIENCE)
        return others

    def _score(self, place: int) -> None:
        record, training = self._study.record, self._use_case.training
        record.sampler = optuna.samplers.TPESampler(seed=training.seed + place, n_startup_trials=len(self._starts))
        # Hyperband is made anew, because one that has pruned shows the sampler other trials than one that has not.
        record.pruner = studies.pruner(self._use_case)
        record.optimize(self._objective, n_trials=1, callbacks=[self._progress])

    def _progress(self, record: optuna.Study, trial: FrozenTrial) -> None:
        attempt = _attempt(trial)
        complete = self._study.trials(TrialState.COMPLETE)
        log.info(
            "trial %d/%d: %s %s %.6g%s in %.1f s; best %s",
            self._study.finished,
            self._budget,
            attempt.family,
            self._use_case.search_metric,
            attempt.mean,
            f" after {len(attempt.scores)} folds, given up" if attempt.pruned else f" ± {attempt.deviation:.3g}",
            attempt.seconds,
            f"{record.best_value:.6g}" if complete else "none yet",
        )


def _quiet() -> None:
    # Optuna's own lines would say the same twice.
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _attempt(trial: FrozenTrial) -> Attempt:
    known: dict[str, Any] = trial.user_attrs
    return Attempt(
        number=trial.number,
        family=known["family"],
        parameters=known["parameters"],
        scores=tuple(known["scores"]),
        seconds=known["seconds"],
        begun=_utc(trial.datetime_start),
        finished=_utc(trial.datetime_complete),
        state="pruned" if trial.state == TrialState.PRUNED else "complete",
    )


def _utc(local: datetime | None) -> datetime:
    # Optuna writes the machine's local time, without its zone.
    return cast("datetime", local).astimezone(UTC)
