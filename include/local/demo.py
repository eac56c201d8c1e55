"""The demo: one use case carried through every stage, by Airflow, to an answer from the live endpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from local import outcome
from local.errors import RunError, StackError
from local.following import Show, follow
from local.outcome import Answer, Verdict
from local.runs import Airflow, Run
from local.state import REPOSITORY
from sluice.adapters.warehouse import Warehouse
from sluice.domain.figures import plain
from sluice.domain.measures import TITLES
from sluice.domain.report import Report
from sluice.domain.use_case import UseCase

Data = Literal["sample", "real"]
STAGES = ("ingest", "train", "promote", "monitor")


@dataclass
class Result:
    """What the demo of one use case came to."""

    use_case: str
    stages: list[tuple[str, float, str]] = field(default_factory=list)
    """Stage, seconds, and what came out."""
    verdict: Verdict | None = None
    answer: Answer | None = None
    lineage: list[dict[str, Any]] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)
    """Kind and URL of each page."""
    seconds: float = 0.0
    """How long it took in all."""


@dataclass(frozen=True)
class Demo:
    """One use case on a running stack.

    Attributes:
        use_case: Which one.
        airflow: Starts and follows the runs.
        warehouse: Knows what came out.
        endpoints: The document of `endpoints.json`.
        store: Folder of the object store.
        show: Takes what there is to see.
    """

    use_case: UseCase
    airflow: Airflow
    warehouse: Warehouse
    endpoints: Mapping[str, Any]
    store: Path
    show: Show

    def run(self, source: str | None) -> Result:
        """Ingest, train, promote, predict and monitor.

        Args:
            source: The file to ingest; None for the use case's own source or sample.

        Raises:
            RunError: A stage failed, or the endpoint does not serve what was decided.
        """
        result, begun = Result(self.use_case.name), time.monotonic()
        with self.show.working(f"{self.use_case.name}: waiting for Airflow to read the DAGs"):
            for stage in STAGES:
                self.airflow.await_dag(f"{self.use_case.name}_{stage}")
        self._ingest(source, result)
        training = self._train(result)
        verdict = self._promote(training, result)
        self._predict(verdict, result)
        self._monitor(result)
        result.seconds = time.monotonic() - begun
        return result

    def _ingest(self, source: str | None, result: Result) -> None:
        since = outcome.now(self.warehouse)
        run = self._start("ingest", {"source": source, "reason": "demo"})
        batch = outcome.batch(self.warehouse, self.use_case.name, since)
        result.stages.append(("ingest", run.seconds, str(batch)))
        self._report(result, "validation", Report.of_run(self.use_case.name, "validation", run.run_id))

    def _train(self, result: Result) -> Run:
        run = self._start("train", {"reason": "demo"})
        snapshot = outcome.snapshot(self.warehouse, self.airflow.result(run, "take_snapshot"))
        version = int(self.airflow.result(run, "register_candidate"))
        family = outcome.family(self.endpoints["mlflow"], self.use_case.name, version)
        result.stages.append(("train", run.seconds, f"version {version}: {family}, from {snapshot}"))
        return run

    def _promote(self, training: Run, result: Result) -> Verdict:
        with self.show.working("waiting for the candidate to start its promotion"):
            run = self.airflow.started_by(training, f"{self.use_case.name}_promote")
        run = follow(self.airflow, self.show, "promote", run)
        verdict = outcome.verdict(self.warehouse, self.use_case.name, run.run_id)
        judged = (*self.use_case.gate.thresholds, self.use_case.change_metric)
        told = {metric: verdict.metrics[metric] for metric in judged if metric in verdict.metrics}
        numbers = ", ".join(f"{TITLES[metric]} {plain(value)}" for metric, value in told.items())
        result.verdict = verdict
        result.stages.append(("promote", run.seconds, f"{verdict.code}: {verdict.message} ({numbers})"))
        return verdict

    def _predict(self, verdict: Verdict, result: Result) -> None:
        if verdict.serving is None:
            raise RunError(
                f"nothing serves: the first candidate was not promoted ({verdict.code})", action=verdict.message
            )
        begun = time.monotonic()
        url = self.endpoints["serving"][self.use_case.name]
        with self.show.working(f"waiting for version {verdict.serving} to answer"):
            answer = outcome.ask(url, self.use_case, verdict.serving)
            result.lineage = outcome.lineage(self.warehouse, answer.prediction_id)
        result.answer = answer
        kept = "" if verdict.promotes else ", the champion that was kept"
        said = f"{answer.said} by version {answer.version}{kept}"
        self.show.say(f"  predict   answered   {time.monotonic() - begun:6.1f} s")
        result.stages.append(("predict", time.monotonic() - begun, said))

    def _monitor(self, result: Result) -> None:
        run = self._start("monitor", {"reason": "demo"})
        said, path = outcome.drift(self.warehouse, self.use_case.name, run.run_id)
        result.stages.append(("monitor", run.seconds, said))
        if path:
            result.reports.append(("drift", f"{self.endpoints['airflow']}{path}"))

    def _start(self, stage: str, conf: dict[str, Any]) -> Run:
        run_id = f"demo__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
        return follow(
            self.airflow, self.show, stage, self.airflow.trigger(f"{self.use_case.name}_{stage}", run_id, conf)
        )

    def _report(self, result: Result, kind: str, report: Report) -> None:
        if (self.store / report.key).exists():
            result.reports.append((kind, f"{self.endpoints['airflow']}{report.path}"))


def source(use_case: UseCase, data: Data, folder: Path | None = None) -> str | None:
    """The file that a demo ingests: the use case's public data set, or None for its own source or sample.

    Args:
        use_case: Whose.
        data: Which one is wanted.
        folder: Where the public data sets are.

    Raises:
        StackError: The data set is wanted and is not there.
    """
    if data == "sample":
        return None
    if use_case.source.real_data is None:
        raise StackError(f"{use_case.name} names no public data set", action="leave DATA=real out")
    folder = folder or Path(os.environ.get("SLUICE_REAL_DATA") or REPOSITORY.parent / "shared" / "data")
    path = folder / use_case.source.real_data
    if not path.is_file():
        raise StackError(
            "the public data set is not there",
            str(path),
            "name its folder with SLUICE_REAL_DATA, or leave DATA=real out",
        )
    return str(path.resolve())
