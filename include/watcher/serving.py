"""Serving: whether what was deployed answers, and whether what it answers is logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import httpx
from prometheus_client.parser import text_string_to_metric_families

from sluice.adapters.warehouse import Warehouse
from sluice.domain.alert import Alert
from sluice.domain.errors import SluiceError
from watcher.airflow import said
from watcher.sight import CannotTell, Seen, Sight, Unseen

COUNTER = "prediction_log_dropped"
SERIES = f"{COUNTER}_total"
READY_ADVICE = "Look at the service's log and at `reason` in its card, and go back to what served before if need be."


class Deployed:
    """The use cases that have ever been deployed, as last known: what never was need not answer.

    Args:
        warehouse: Whose ledger says so.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._names: frozenset[str] | None = None

    def refresh(self) -> None:
        """Read the ledger; where it cannot be read, what was known goes on."""
        try:
            rows = self._warehouse.rows(self._warehouse.statement("watcher/deployed"))
        except SluiceError:
            return
        self._names = frozenset(row["use_case"] for row in rows)

    def names(self) -> frozenset[str]:
        """Which.

        Raises:
            CannotTell: The ledger could never be read.
        """
        if self._names is None:
            raise CannotTell("the ledger of deployments cannot be read")
        return self._names


def ready(http: httpx.Client, use_case: str, url: str, deployed: Deployed) -> Sight:
    """Whether a model server says that it can answer.

    Raises:
        CannotTell: It does not, and nobody knows whether it should.
    """
    base = url.rstrip("/")
    try:
        answer = http.get(f"{base}/readyz")
    except httpx.HTTPError as error:
        seen = f"{base} does not answer: {said(error)}"
    else:
        if answer.is_success:
            return Seen(note=base)
        seen = f"{base}/readyz answers {answer.status_code}: it has no release to answer with"
    if use_case not in deployed.names():
        return Seen(note="never deployed")
    return Seen((_not_ready(use_case, seen, (("The service", base),)),), seen)


def beating(warehouse: Warehouse, patience: float, names: frozenset[str], link: str) -> Seen:
    """Whether each deployed use case has a process that gave a sign of life and has a release.

    Args:
        warehouse: Holds the heartbeats.
        patience: Seconds after which a heartbeat is too old.
        names: The use cases that are looked for.
        link: The watcher's page.

    Raises:
        CannotTell: The warehouse does not answer.
    """
    try:
        rows = warehouse.rows(warehouse.statement("watcher/beating"), {"fresh": timedelta(seconds=patience)})
    except SluiceError as error:
        raise CannotTell(" ".join(error.what.split())) from error
    asked = [row for row in rows if row["use_case"] in names]
    alerts = tuple(
        _not_ready(
            row["use_case"],
            f"No process with a release has given a sign of life for {patience:.0f} s.",
            (("What the watcher sees", link),),
        )
        for row in asked
        if not row["ready"]
    )
    return Seen(alerts, f"{len(asked)} use cases by their heartbeats")


class Drops:
    """The predictions that one model server could not log.

    Args:
        http: Asks.
        use_case: Whose.
        url: Its base URL.
        api_key: Opens it; none where it is open.
        calm: Seconds without a loss after which it counts as mended.
        clock: Tells seconds.
    """

    def __init__(
        self,
        http: httpx.Client,
        use_case: str,
        url: str,
        api_key: str,
        calm: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._use_case, self._base = http, use_case, url.rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._calm, self._clock = calm, clock
        self._last: float | None = None
        self._lost, self._lost_at = 0.0, 0.0

    def look(self) -> Sight:
        """Whether any were lost lately.

        Raises:
            CannotTell: The server does not say.
        """
        try:
            answer = self._http.get(f"{self._base}/metrics", headers=self._headers)
            if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                return Unseen("it asks for a key: set SLUICE_WATCHER_API_KEY", off=True)
            dropped = _counted(answer.raise_for_status().text)
        except httpx.HTTPError as error:
            raise CannotTell(said(error)) from error
        now = self._clock()
        # A counter that fell is that of a new process: all of it is new.
        new = 0 if self._last is None else dropped - self._last if dropped >= self._last else dropped
        self._last = dropped
        if self._lost and now - self._lost_at > self._calm:
            self._lost = 0
        if new:
            self._lost, self._lost_at = self._lost + new, now
        if not self._lost:
            return Seen(note=f"{dropped:.0f} lost since it started" if dropped else "")
        note = f"{self._lost:.0f} predictions lost, the last {now - self._lost_at:.0f} s ago"
        return Seen((self._alert(note),), note)

    def _alert(self, note: str) -> Alert:
        return Alert(
            cause=f"log:{self._use_case}",
            use_case=self._use_case,
            stage="serving",
            kind="log_drops",
            headline="the prediction log",
            facts=(("The service", self._base), ("Lost", note)),
            error=f"{note}: they were answered, and nobody can log them later.",
            advice="Look whether the warehouse answers and keeps up; SLUICE_LOG_ROWS holds more of them meanwhile.",
            links=(("The service", self._base),),
        )


def _counted(text: str) -> float:
    families = text_string_to_metric_families(text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == SERIES)


def _not_ready(use_case: str, seen: str, links: tuple[tuple[str, str], ...]) -> Alert:
    return Alert(
        cause=f"serving:{use_case}",
        use_case=use_case,
        stage="serving",
        kind="serving_not_ready",
        headline="the endpoint",
        error=seen,
        advice=READY_ADVICE,
        links=links,
    )
