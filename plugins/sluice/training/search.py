"""The search: which family and which hyper-parameters predict best, by cross-validation."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, Trial, TrialState
from threadpoolctl import threadpool_limits

from sluice.adapters.metrics import METRICS
from sluice.domain.errors import DataError, StateError, TransientError
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import families, folds, proposals
from sluice.training.snapshots import Part

log = logging.getLogger(__name__)

#: The score of a proposal whose answers overflow; finite, because means and deviations are taken of it.
_HOPELESS = 1e150

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Attempt:
    """One finished trial.

    Attributes:
        number: Its number in the study.
        family: Which estimator.
        parameters: Its hyper-parameters.
        scores: The metric on each fold that was scored, in the target's unit.
        seconds: How long it took.
        pruned: Whether it was given up before its last fold.
    """

    number: int
    family: Family
    parameters: dict[str, int | float | str]
    scores: tuple[float, ...]
    seconds: float
    pruned: bool

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
        metric: What was minimised.
        best: The complete attempt with the lowest mean.
        attempts: Every finished one, in the order they were begun.
    """

    study: str
    metric: str
    best: Attempt
    attempts: tuple[Attempt, ...]


@contextmanager
def storage(dsn: str, heartbeat: int = 5, grace: int = 30) -> Iterator[optuna.storages.RDBStorage]:
    """The database that studies live in, open while the block runs.

    A trial whose process died is failed once its heartbeat is `grace` seconds old, and its hyper-parameters
    are tried again.

    Args:
        dsn: `postgresql://user:password@host:port/database`.
        heartbeat: Seconds between two signs of life of a running trial.
        grace: Seconds without one after which its process counts as dead.

    Raises:
        TransientError: The database does not answer.
    """
    # SQLAlchemy takes a bare `postgresql` for another driver than the one that is installed.
    url = sqlalchemy.make_url(dsn).set(drivername="postgresql+psycopg2")
    database = _open(url, heartbeat, grace)
    try:
        yield database
    finally:
        database.remove_session()
        database.engine.dispose()


def _open(url: sqlalchemy.URL, heartbeat: int, grace: int) -> optuna.storages.RDBStorage:
    with warnings.catch_warnings():
        # The heartbeat is what makes a killed search resumable; Optuna has called it experimental since 2.8.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return optuna.storages.RDBStorage(
                url.render_as_string(hide_password=False),
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=heartbeat,
                grace_period=grace,
                heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
            )
        # Two first searches at once may also both try to make the tables; the loser finds them on its retry.
        except sqlalchemy.exc.DBAPIError as error:
            place = url.render_as_string(hide_password=True)
            raise TransientError(f"the study database does not answer: {error.orig}", place, "start it") from error


def study_name(use_case: UseCase, snapshot_id: str) -> str:
    """The study of one use case, as its spec says now, on one snapshot."""
    return f"{use_case.name}:{snapshot_id}:{use_case.sha256()[:12]}"


def run(
    use_case: UseCase,
    train: Part,
    snapshot_id: str,
    database: optuna.storages.BaseStorage,
    trials: int | None = None,
) -> SearchResult:
    """Search until the budget of finished trials is spent or the time is over.

    A search that was killed goes on where it was: finished trials are never repeated, and a trial's proposal
    follows from the seed and the trials before it, so that a resumed search finds what an undisturbed one
    would.

    Args:
        use_case: Declares the families, their spaces, the folds and the budget.
        train: The rows to fit and score on.
        snapshot_id: Names the rows.
        database: Where the study lives; see `storage`.
        trials: A budget other than the spec's.

    Raises:
        DataError: The time was over before any trial was complete.
    """
    training = use_case.training
    budget = trials or training.trials
    starts = proposals.starts(training.families)
    # Optuna's own lines would say the same twice.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=study_name(use_case, snapshot_id),
        storage=database,
        direction="minimize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=len(starts)),
    )
    objective = _Objective(use_case, train, folds.divide(train, training.folds, training.seed))
    deadline = time.monotonic() + training.time_limit_minutes * 60
    log.info("study %s: %d of %d trials are finished", study.study_name, _finished(study), budget)
    # One thread: results do not depend on the machine's cores, and parallel workers do not fight over them.
    with threadpool_limits(limits=1):
        while _finished(study) < budget and time.monotonic() < deadline:
            _fail_stale(study)
            _enqueue_start(study, starts)
            study.sampler = optuna.samplers.TPESampler(seed=training.seed + _begun(study), n_startup_trials=len(starts))
            study.optimize(objective, n_trials=1, callbacks=[_Progress(training.metric, budget)])
    if _finished(study) < budget:
        log.warning("the time limit of %g minutes ended the search", training.time_limit_minutes)
    return _result(study, training.metric)


def read(use_case: UseCase, snapshot_id: str, database: optuna.storages.BaseStorage) -> SearchResult:
    """The result of a search that was run before.

    Raises:
        StateError: There was none.
        DataError: None of its trials is complete.
    """
    name = study_name(use_case, snapshot_id)
    try:
        study = optuna.load_study(study_name=name, storage=database)
    except KeyError as error:
        raise StateError(f"there is no study {name!r}", "the study database", "search first") from error
    return _result(study, use_case.training.metric)


class _Objective:
    """Cross-validates one proposal."""

    def __init__(self, use_case: UseCase, train: Part, parts: tuple[folds.Fold, ...]) -> None:
        self._use_case = use_case
        self._train = train
        self._parts = parts

    def __call__(self, trial: Trial) -> float:
        begun = time.monotonic()
        training = self._use_case.training
        family, parameters = proposals.propose(trial, training.families)
        trial.set_user_attr("family", family)
        trial.set_user_attr("parameters", parameters)
        scores: list[float] = []
        for step, part in enumerate(self._parts):
            scores.append(self._score(family, parameters, part))
            trial.report(float(np.mean(scores)), step)
            trial.set_user_attr("scores", scores)
            trial.set_user_attr("seconds", time.monotonic() - begun)
            if step + 1 < len(self._parts) and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(scores))

    def _score(self, family: Family, parameters: families.Parameters, part: folds.Fold) -> float:
        model = families.regressor(self._use_case, family, parameters)
        inputs, target = self._train.inputs, self._train.target
        model.fit(inputs.iloc[part.fit], target[part.fit])
        with np.errstate(over="ignore"):
            predicted = model.predict(inputs.iloc[part.score])
            score = METRICS[self._use_case.training.metric](target[part.score], predicted)
        return score if math.isfinite(score) else _HOPELESS


class _Progress:
    """Says after each trial how far the search is."""

    def __init__(self, metric: str, budget: int) -> None:
        self._metric = metric
        self._budget = budget

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        attempt = _attempt(trial)
        log.info(
            "trial %d/%d: %s %s %.6g%s in %.1f s; best %.6g",
            _finished(study),
            self._budget,
            attempt.family,
            self._metric,
            attempt.mean,
            f" after {len(attempt.scores)} folds, given up" if attempt.pruned else f" ± {attempt.deviation:.3g}",
            attempt.seconds,
            study.best_value,
        )


def _enqueue_start(study: optuna.Study, starts: list[proposals.Proposal]) -> None:
    """Queue the next of the first proposals, unless one that died waits to be tried again."""
    begun = _begun(study)
    if begun < len(starts) and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(starts[begun])


def _fail_stale(study: optuna.Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _finished(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=_FINISHED))


def _begun(study: optuna.Study) -> int:
    """Trials begun and not failed; a trial that died does not shift the proposals after it."""
    return len(study.get_trials(deepcopy=False, states=(*_FINISHED, TrialState.RUNNING)))


def _result(study: optuna.Study, metric: str) -> SearchResult:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        raise DataError(
            "no trial was complete when the time was over",
            study.study_name,
            "raise training.time_limit_minutes or narrow the search space",
        )
    return SearchResult(
        study=study.study_name,
        metric=metric,
        best=_attempt(study.best_trial),
        attempts=tuple(_attempt(trial) for trial in study.get_trials(deepcopy=False, states=_FINISHED)),
    )


def _attempt(trial: FrozenTrial) -> Attempt:
    known: dict[str, Any] = trial.user_attrs
    return Attempt(
        number=trial.number,
        family=known["family"],
        parameters=known["parameters"],
        scores=tuple(known["scores"]),
        seconds=known["seconds"],
        pruned=trial.state == TrialState.PRUNED,
    )
