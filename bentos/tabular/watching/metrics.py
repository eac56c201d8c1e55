"""The instruments: requests, latency, the latest prediction, the log's queue, releases, refusals, uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from tabular.problem import TITLES
from tabular.releases.standing import Standing

BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LOADS = ("swapped", "taken_over", "challenger", "refused", "needs_new_image")
#: Whose series say by being there that something is so: a process cannot take a series back, only set it to 0.
PRESENT = frozenset({"release_info", "release_reason"})


class Metrics:
    """The instruments of one use case.

    Counters of several worker processes add up. Each gauge says what becomes of its values: `live` ones are forgotten
    with the process that set them.

    Args:
        use_case: Label of every series.
        registry: Where they are registered.
    """

    def __init__(self, use_case: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._use_case: Final = use_case
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        own, versioned = ("use_case",), ("use_case", "version")
        self._requests = counter("pred_requests", "Prediction requests by outcome", (*versioned, "outcome"))
        self._latency = Histogram(
            "pred_request_latency_seconds",
            "Time from a request's arrival to its answer",
            (*versioned, "outcome"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._latest = gauge(
            "latest_prediction",
            "The last number predicted; of classes, the probability of the positive or of the chosen one",
            versioned,
            multiprocess_mode="mostrecent",
        )
        self._refusals = counter("refusals", "Answers that are problems, by kind", (*own, "kind"))
        self._shadow = counter(
            "shadow_scorings", "Requests that a challenger was given in shadow", (*versioned, "outcome")
        )
        self._uploads = counter("upload_rows", "Rows of uploaded files, by outcome", (*own, "outcome"))
        self._labels = counter("feedback_labels", "Late labels that were taken", own).labels(use_case)

        self._waiting = gauge(
            "prediction_log_waiting_rows", "Predictions that wait for the warehouse", own, multiprocess_mode="livesum"
        )
        self._capacity = gauge(
            "prediction_log_capacity_rows", "Most predictions that may wait", own, multiprocess_mode="livesum"
        )
        self._written_at = gauge(
            "prediction_log_last_success_timestamp_seconds",
            "When the warehouse last took something from the worker that waits longest",
            own,
            multiprocess_mode="livemin",
        )
        self._written = counter("prediction_log_written", "Predictions that the warehouse took", own).labels(use_case)
        self._dropped = counter("prediction_log_dropped", "Predictions that could not be logged", own).labels(use_case)

        self._loads = counter("release_loads", "Releases that were tried, by outcome", (*own, "outcome"))
        self._ready = gauge(
            "release_ready", "1 where every worker has a release that answers", own, multiprocess_mode="livemin"
        )
        self._info = gauge(
            "release_info",
            "1 for what answers; two champions at once are workers that differ",
            (*versioned, "role", "source", "bundle_sha256"),
            multiprocess_mode="livemax",
        )
        self._reason = gauge(
            "release_reason",
            "1 for the code that says why what serves is not what the registry names, or ok",
            (*own, "role", "code"),
            multiprocess_mode="livemax",
        )
        self._trained_at = gauge(
            "release_trained_timestamp_seconds",
            "When the champion that serves was trained",
            own,
            multiprocess_mode="livemin",
        )
        self._loaded_at = gauge(
            "release_loaded_timestamp_seconds",
            "When the last worker began to serve the champion",
            own,
            multiprocess_mode="livemax",
        )
        self._load_seconds = gauge(
            "release_load_seconds",
            "Time to fetch, check and load the champion that serves, of the slowest worker",
            own,
            multiprocess_mode="livemax",
        )
        self._share = gauge(
            "challenger_share",
            "Of the requests, that the challenger is to answer; 0 in shadow or without one",
            own,
            multiprocess_mode="livemostrecent",
        )

        self._shown: Standing | None = None
        #: Looking a series up by its labels costs as much as the rest of an observation.
        self._answers: dict[tuple[int | None, str], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._figures: dict[int, Callable[[float], None]] = {}
        self._start(self._refusals, TITLES)
        self._start(self._uploads, ("ok", "faulty"))
        self._start(self._loads, LOADS)

    def _start(self, counter: Counter, values: Iterable[str]) -> None:
        """Let series begin at 0: of one that begins with its first event, the event is no increase."""
        for value in values:
            counter.labels(self._use_case, value)

    def answered(self, version: int | None, outcome: str, seconds: float) -> None:
        """Count a request.

        Args:
            version: What served; None where nothing did.
            outcome: `ok`, `refused` (the caller's fault), `not_ready` or `error`.
            seconds: Its latency.
        """
        try:
            count, observe = self._answers[version, outcome]
        except KeyError:
            labels = (self._use_case, str(version or "none"), outcome)
            count, observe = self._requests.labels(*labels).inc, self._latency.labels(*labels).observe
            self._answers[version, outcome] = count, observe
        count()
        observe(seconds)

    def predicted(self, version: int, prediction: float) -> None:
        """Show a prediction as the latest."""
        try:
            show = self._figures[version]
        except KeyError:
            show = self._figures[version] = self._latest.labels(self._use_case, str(version)).set
        show(prediction)

    def failed_over(self, version: int) -> None:
        """Count a request that a challenger could not answer; the champion's answer is counted beside it."""
        self._requests.labels(self._use_case, str(version), "failed_over").inc()

    def shadowed(self, version: int, outcome: str) -> None:
        """Count a request that a challenger was given in shadow: `ok`, `failed`, or `dropped` for want of time."""
        self._shadow.labels(self._use_case, str(version), outcome).inc()

    def refused(self, kind: str) -> None:
        """Count an answer that is a problem of this kind."""
        self._refusals.labels(self._use_case, kind).inc()

    def uploaded(self, rows: int, faulty: int) -> None:
        """Count the rows of an uploaded file, and how many further ones got faults instead of predictions."""
        self._uploads.labels(self._use_case, "ok").inc(rows)
        self._uploads.labels(self._use_case, "faulty").inc(faulty)

    def labelled(self, count: int) -> None:
        """Count late labels that were taken."""
        self._labels.inc(count)

    def logging(self, capacity: int) -> None:
        """Show that a log begins, with room for so many rows."""
        self._capacity.labels(self._use_case).set(capacity)
        self._written_at.labels(self._use_case).set_to_current_time()

    def waiting(self, rows: int) -> None:
        """Show how many rows wait for the warehouse."""
        self._waiting.labels(self._use_case).set(rows)

    def written(self, rows: int) -> None:
        """Count rows that the warehouse took, if any; that it answered is shown too."""
        self._written.inc(rows)
        self._written_at.labels(self._use_case).set_to_current_time()

    def dropped(self, rows: int) -> None:
        """Count rows that could not be logged."""
        self._dropped.inc(rows)

    def loaded(self, outcome: str) -> None:
        """Count a release that was tried: one of `LOADS`."""
        self._loads.labels(self._use_case, outcome).inc()

    def serving(self, standing: Standing) -> None:
        """Show what serves; told the same again, nothing happens."""
        if standing is self._shown:
            return
        releases, reasons = _presence(standing)
        if self._shown:
            gone, explained = _presence(self._shown)
            self._mark(self._info, gone - releases, 0)
            self._mark(self._reason, explained - reasons, 0)
        self._mark(self._info, releases, 1)
        self._mark(self._reason, reasons, 1)
        own = self._use_case
        self._ready.labels(own).set(standing.release is not None)
        self._share.labels(own).set(standing.challenger.share if standing.challenger else 0)
        if release := standing.release:
            if (trained_at := _seconds(release.bundle.contract.trained_at)) is not None:
                self._trained_at.labels(own).set(trained_at)
            self._loaded_at.labels(own).set(release.loaded_at.timestamp())
            self._load_seconds.labels(own).set(release.load_seconds)
        self._shown = standing

    def _mark(self, gauge: Gauge, series: Iterable[tuple[str, ...]], value: int) -> None:
        for labels in series:
            gauge.labels(self._use_case, *labels).set(value)


def _presence(standing: Standing) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """The series of `release_info` and of `release_reason` that say what serves."""
    challenger = standing.challenger.release if standing.challenger else None
    releases: set[tuple[str, ...]] = {
        (str(release.version), role, release.source, release.bundle.sha256)
        for role, release in (("champion", standing.release), ("challenger", challenger))
        if release
    }
    reasons: set[tuple[str, ...]] = {
        # Reasons are a code and words; the words would make a series of every one of them.
        (role, reason.partition(":")[0])
        for role, reason in (("champion", standing.reason), ("challenger", standing.challenger_reason))
        if reason
    }
    return releases, reasons


def _seconds(moment: str) -> float | None:
    """A moment in seconds since 1970; None where the text names none, which no release is refused for."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None
