"""What Prometheus reads: requests, latency, the latest prediction, shadows, lost log rows, swaps."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

MEDIA_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The instruments of one use case.

    Args:
        use_case: Label of every series.
        registry: Where they are registered.
    """

    def __init__(self, use_case: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._use_case = use_case
        labels = ("use_case", "version")
        self._requests = Counter(
            "pred_requests", "Prediction requests by outcome", (*labels, "outcome"), registry=registry
        )
        self._latency = Histogram(
            "pred_request_latency_seconds",
            "Time from a request's arrival to its answer",
            labels,
            buckets=BUCKETS,
            registry=registry,
        )
        self._latest = Gauge(
            "latest_prediction",
            "The last number predicted; of classes, the probability of the positive or of the chosen one",
            labels,
            registry=registry,
            # Otherwise there is one series per process.
            multiprocess_mode="mostrecent",
        )
        self._dropped = Counter(
            "prediction_log_dropped", "Predictions that could not be logged", ("use_case",), registry=registry
        ).labels(use_case)
        self._shadow = Counter(
            "shadow_scorings", "Requests that a challenger was given in shadow", (*labels, "outcome"), registry=registry
        )
        self._releases = Counter(
            "release_loads",
            "Releases that were tried, by outcome",
            ("use_case", "outcome"),
            registry=registry,
        )

    def answered(self, version: int | None, outcome: str, seconds: float) -> None:
        """Count a request.

        Args:
            version: What served; None where nothing did.
            outcome: `ok`, `refused` (the caller's fault), `not_ready` or `error`.
            seconds: Its latency.
        """
        name = str(version or "none")
        self._requests.labels(self._use_case, name, outcome).inc()
        self._latency.labels(self._use_case, name).observe(seconds)

    def failed_over(self, version: int) -> None:
        """Count a request that a challenger could not answer; the champion's answer is counted beside it."""
        self._requests.labels(self._use_case, str(version), "failed_over").inc()

    def shadowed(self, version: int, outcome: str) -> None:
        """Count a request that a challenger was given in shadow: `ok`, `failed`, or `dropped` for want of time."""
        self._shadow.labels(self._use_case, str(version), outcome).inc()

    def predicted(self, version: int, prediction: float) -> None:
        """Show a prediction as the latest."""
        self._latest.labels(self._use_case, str(version)).set(prediction)

    def dropped(self, rows: int) -> None:
        """Count predictions that could not be logged."""
        self._dropped.inc(rows)

    def loaded(self, outcome: str) -> None:
        """Count a release that was tried: `swapped`, `taken_over`, `challenger`, `refused` or `needs_new_image`."""
        self._releases.labels(self._use_case, outcome).inc()


def exposition() -> bytes:
    """Every series of every worker process, as text."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
