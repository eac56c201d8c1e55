"""Stages: the nested runs below a training's run, one for each stage and, under the search, for each trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from sluice.adapters.tracking import Tracking
from sluice.domain.measures import HIGHER_IS_BETTER
from sluice.training.choices import Findings
from sluice.training.evidence.importance import Importances
from sluice.training.evidence.learning import LearningCurve
from sluice.training.search import Attempt, SearchResult

log = logging.getLogger(__name__)

#: Trials that are written at once; the server takes some milliseconds for each of three requests.
_WRITERS = 4


@dataclass(frozen=True)
class Parent:
    """The run that others are nested in.

    Attributes:
        tracking: The server.
        experiment_id: The experiment of all of them.
        run_id: Its own id.
    """

    tracking: Tracking
    experiment_id: str
    run_id: str


@contextmanager
def run(
    tracking: Tracking,
    experiment_id: str,
    name: str,
    tags: dict[str, str],
    *,
    begun: datetime | None = None,
    finished: datetime | None = None,
    state: str = "FINISHED",
) -> Iterator[str]:
    """A new run that ends in a state when the block ends well, and as failed when it does not.

    Args:
        tracking: The server.
        experiment_id: Where it is made.
        name: Shown to people.
        tags: Set from the start.
        begun: When what it tells of began; now where absent.
        finished: When that ended; when the block does where absent.
        state: How that ended: `FINISHED` or `KILLED`.
    """
    client = tracking.client
    with tracking.answers():
        made = client.create_run(experiment_id, start_time=_milliseconds(begun), run_name=name, tags=tags)
    run_id = str(made.info.run_id)
    try:
        yield run_id
        with tracking.answers():
            client.set_terminated(run_id, state, end_time=_milliseconds(finished))
    # Whatever ended the block, also a task that is stopped: the run must not look as if it went on.
    except BaseException:
        _fail(tracking, run_id)
        raise


@contextmanager
def nested(parent: Parent, name: str, begun: datetime, finished: datetime | None = None) -> Iterator[str]:
    """A stage's run; see `run`."""
    tags = {MLFLOW_PARENT_RUN_ID: parent.run_id, "stage": name}
    with run(parent.tracking, parent.experiment_id, name, tags, begun=begun, finished=finished) as run_id:
        yield run_id


def write_features(parent: Parent, findings: Findings, moment: datetime) -> None:
    """What was settled before the search, with every measurement it rests on.

    Args:
        parent: The training's run.
        findings: What was measured.
        moment: When it was settled.
    """
    now = _milliseconds(moment) or 0
    metrics = [Metric(f"impute_{way}", error, now, 0) for way, error in findings.overall.items()]
    for name, silhouettes in findings.silhouettes.items():
        metrics += [Metric(f"silhouette_{name}", value, now, k) for k, value in silhouettes.items()]
    params: dict[str, str] = {"impute": findings.choices.impute}
    params |= {f"clusters_{name}": str(k) for name, k in findings.choices.clusters.items()}
    with nested(parent, "features", moment, moment) as run_id, parent.tracking.answers():
        _log(parent, run_id, metrics, params)
        parent.tracking.client.set_tag(run_id, "mlflow.note.content", "\n".join(f"- {note}" for note in findings.notes))


def write_search(parent: Parent, result: SearchResult) -> None:
    """The search with each of its trials below it, with their own times and states."""
    begun, finished = (min(a.begun for a in result.attempts), max(a.finished for a in result.attempts))
    with nested(parent, "search", begun, finished) as run_id:
        with parent.tracking.answers():
            params = {"study": result.study, "metric": result.metric, "trials": str(len(result.attempts))}
            _log(parent, run_id, _best_so_far(result), params | {"best_trial": str(result.best.number)})
        below = Parent(parent.tracking, parent.experiment_id, run_id)
        with ThreadPoolExecutor(_WRITERS) as pool:
            jobs = [pool.submit(_write_trial, below, result, attempt) for attempt in result.attempts]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def write_fit(
    parent: Parent, begun: datetime, finished: datetime, params: dict[str, str], numbers: dict[str, float]
) -> None:
    """The fit of the best on all train rows, with what it came to."""
    moment = _milliseconds(finished) or 0
    with nested(parent, "fit", begun, finished) as run_id, parent.tracking.answers():
        _log(parent, run_id, [Metric(name, value, moment, 0) for name, value in numbers.items()], params)


def write_evaluation(parent: Parent, begun: datetime, curve: LearningCurve, importances: Importances) -> None:
    """How the model behaves: with fewer rows (the metric's step is the rows) and without one of its inputs."""
    now = int(time.time() * 1000)
    metrics: list[Metric] = []
    for point in curve.points:
        fitted, unseen = float(np.mean(point.fitted)), float(np.mean(point.unseen))
        metrics.append(Metric(f"learning_{curve.metric}_fitted", fitted, now, point.rows))
        metrics.append(Metric(f"learning_{curve.metric}_unseen", unseen, now, point.rows))
    metrics += [Metric(f"importance_{i.name}", i.mean, now, 0) for i in importances.inputs]
    with nested(parent, "evaluation", begun) as run_id, parent.tracking.answers():
        _log(parent, run_id, metrics, {"learning_metric": curve.metric, "importance_metric": importances.metric})


def _write_trial(parent: Parent, result: SearchResult, attempt: Attempt) -> None:
    state = {"complete": "FINISHED", "pruned": "KILLED"}[attempt.state]
    tags = {
        MLFLOW_PARENT_RUN_ID: parent.run_id,
        "stage": "trial",
        "state": attempt.state,
        "family": attempt.family,
        "best": str(attempt.number == result.best.number).lower(),
    }
    name = f"trial {attempt.number} {attempt.family}"
    times = {"begun": attempt.begun, "finished": attempt.finished}
    with run(parent.tracking, parent.experiment_id, name, tags, **times, state=state) as run_id:
        moment = _milliseconds(attempt.finished) or 0
        metrics = [Metric(result.metric, score, moment, fold) for fold, score in enumerate(attempt.scores)]
        numbers = {f"cv_{result.metric}_mean": attempt.mean, f"cv_{result.metric}_std": attempt.deviation}
        metrics += [Metric(key, value, moment, 0) for key, value in {**numbers, "seconds": attempt.seconds}.items()]
        params = {"family": attempt.family, "trial": str(attempt.number)}
        params |= {key: str(value) for key, value in attempt.parameters.items()}
        with parent.tracking.answers():
            _log(parent, run_id, metrics, params)


def _best_so_far(result: SearchResult) -> list[Metric]:
    """The best mean after each complete trial; the step is the trial's number."""
    complete = [a for a in result.attempts if a.state == "complete"]
    gather = np.maximum if result.metric in HIGHER_IS_BETTER else np.minimum
    best = gather.accumulate([a.mean for a in complete])
    name = f"best_{result.metric}"
    return [
        Metric(name, float(value), _milliseconds(a.finished) or 0, a.number)
        for a, value in zip(complete, best, strict=True)
    ]


def _log(parent: Parent, run_id: str, metrics: list[Metric], params: dict[str, str]) -> None:
    parent.tracking.client.log_batch(run_id, metrics=metrics, params=[Param(k, v) for k, v in params.items()])


def _fail(tracking: Tracking, run_id: str) -> None:
    try:
        tracking.client.set_terminated(run_id, "FAILED")
    except MlflowException as error:
        log.warning("run %s could not be marked as failed: %s", run_id, error)


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
