"""Studies: a search's trials in the database, which workers of several processes draw from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from sluice.domain.errors import StateError, TransientError
from sluice.domain.measures import HIGHER_IS_BETTER
from sluice.domain.use_case import UseCase
from sluice.training import proposals, provenance
from sluice.training.choices import Findings
from sluice.training.proposals import Proposal

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_ALIVE = (TrialState.WAITING, TrialState.RUNNING, *FINISHED)

#: Seconds that a worker waits for its turn; a turn takes a fraction of one.
TURN_SECONDS = 60


@contextmanager
def storage(dsn: str, heartbeat: int = 5, grace: int = 30) -> Iterator[RDBStorage]:
    """The database that studies live in, open while the block runs.

    A trial whose process died is failed once its heartbeat is `grace` seconds old, and its proposal is tried again.

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


def _open(url: sqlalchemy.URL, heartbeat: int, grace: int) -> RDBStorage:
    with warnings.catch_warnings():
        # The heartbeat is what makes a killed search resumable; Optuna has called it experimental since 2.8.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return RDBStorage(
                url.render_as_string(hide_password=False),
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=heartbeat,
                grace_period=grace,
            )
        # Two first searches at once may also both try to make the tables; the loser finds them on its retry.
        except sqlalchemy.exc.DBAPIError as error:
            raise TransientError(
                f"the study database does not answer: {error.orig}", _place(url), "start it"
            ) from error


def _place(url: sqlalchemy.URL) -> str:
    return url.render_as_string(hide_password=True)


def study_name(use_case: UseCase, snapshot_id: str) -> str:
    """The study of one use case, as its spec and the training code are now, on one snapshot."""
    return f"{use_case.name}:{snapshot_id}:{use_case.sha256()[:12]}:{provenance.code_sha256()[:12]}"


def pruner(use_case: UseCase) -> BasePruner:
    """What gives weak trials up, as the spec names it."""
    training = use_case.training
    if training.pruner == "median":
        first = len(proposals.starts(training.families, use_case.task))
        return optuna.pruners.MedianPruner(n_startup_trials=first)
    if training.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=training.folds)
    if training.pruner == "wilcoxon":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.pruners.WilcoxonPruner()
    return optuna.pruners.NopPruner()


@dataclass(frozen=True)
class Study:
    """A study that is open.

    A trial fills a place; the places of a budget are 0 to budget - 1. A place is filled again only when its trial
    died or failed, so that the number of finished trials is never above the budget, and each place's proposal
    follows from the seed and the place.

    Attributes:
        record: The study itself.
        database: Where it lives.
        findings: What the train rows decided before the search, and why.
    """

    record: optuna.Study
    database: BaseStorage
    findings: Findings

    @property
    def name(self) -> str:
        """Its name in the database."""
        return str(self.record.study_name)

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Its trials in these states, in the order they were begun."""
        found: list[FrozenTrial] = self.record.get_trials(deepcopy=False, states=states)
        return found

    @property
    def finished(self) -> int:
        """How many trials are finished."""
        return len(self.trials(*FINISHED))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep every other worker from drawing while the block runs; over when the process dies, too.

        Raises:
            TransientError: The database does not answer, or another worker does not end its turn.
        """
        # A study in memory has one worker.
        if not isinstance(self.database, RDBStorage):
            yield
            return
        engine = self.database.engine
        key = sqlalchemy.func.hashtextextended(self.name, 0)
        limit = sqlalchemy.func.set_config("lock_timeout", f"{TURN_SECONDS}s", True)
        with engine.connect() as connection, connection.begin():
            try:
                connection.execute(sqlalchemy.select(limit))
                connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(key)))
            except sqlalchemy.exc.DBAPIError as error:
                raise TransientError(
                    f"the study gives no turn: {error.orig}", _place(engine.url), "see what else works on it"
                ) from error
            yield

    def next_place(self, budget: int, starts: list[Proposal]) -> int | None:
        """The place whose trial a worker begins next, queued; None where every place is taken.

        To be called in the worker's turn.

        Args:
            budget: How many places there are.
            starts: The proposals of the first places; those after them are the sampler's.
        """
        self._fail_the_dead()
        waiting = self.trials(TrialState.WAITING)
        if waiting:
            return _place_of(waiting[0])
        taken = {_place_of(trial) for trial in self.trials(*_ALIVE)}
        free = next((place for place in range(budget) if place not in taken), None)
        if free is not None:
            self.record.enqueue_trial(self._proposal(free, starts), user_attrs={"place": free})
        return free

    def _proposal(self, place: int, starts: list[Proposal]) -> dict[str, Any]:
        """What is tried at a place: what died there, one of the first proposals, or whatever the sampler likes.

        A proposal that died twice may be what kills its process, for example by the memory it takes: then the sampler
        proposes another.
        """
        died = [t for t in self.trials(TrialState.FAIL) if _place_of(t) == place and t.params]
        if len(died) > 1:
            return {}
        if died:
            return dict(died[-1].params)
        return starts[place] if place < len(starts) else {}

    def _fail_the_dead(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.record)
        # Within a turn nobody else is between beginning a trial and having its proposal, so its process is gone;
        # it may have gone before its first heartbeat, without which a trial never becomes stale.
        for trial in self.trials(TrialState.RUNNING):
            if "parameters" not in trial.user_attrs:
                self.record.tell(trial.number, state=TrialState.FAIL)


def create(use_case: UseCase, snapshot_id: str, database: BaseStorage, findings: Findings) -> Study:
    """Make a study, or find it; what was found before the first time stays."""
    record = optuna.create_study(
        study_name=study_name(use_case, snapshot_id),
        storage=database,
        direction="maximize" if use_case.search_metric in HIGHER_IS_BETTER else "minimize",
        load_if_exists=True,
    )
    if "findings" not in record.user_attrs:
        record.set_user_attr("findings", findings.to_json())
    return find(use_case, snapshot_id, database) or Study(record, database, findings)


def find(use_case: UseCase, snapshot_id: str, database: BaseStorage) -> Study | None:
    """The study, or None where it was never opened."""
    try:
        record = optuna.load_study(study_name=study_name(use_case, snapshot_id), storage=database)
    except KeyError:
        return None
    known = record.user_attrs.get("findings")
    return None if known is None else Study(record, database, Findings.from_json(known))


def get(use_case: UseCase, snapshot_id: str, database: BaseStorage) -> Study:
    """The study.

    Raises:
        StateError: It was never opened.
    """
    study = find(use_case, snapshot_id, database)
    if study is None:
        name = study_name(use_case, snapshot_id)
        raise StateError(
            f"there is no study {name!r}",
            "the study database",
            "search first; after a change of the spec or of the code, from the start",
        )
    return study


def _place_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["place"])
