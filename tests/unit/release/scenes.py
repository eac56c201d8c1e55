"""A champion, its challenger, and traffic that may lie ahead of the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import pandas as pd

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import BUNDLE_PATH, SHARE_TAG, Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.evidence import Decision, Subject
from sluice.domain.policy import Canary
from sluice.domain.release import Release
from sluice.gate.decision import store_decision
from sluice.release import canary, deployments, watch
from sluice.release.canary import Rollout
from sluice.release.deployments import Order
from sluice.release.watch import Verdict

SNAPSHOT = """
INSERT INTO ml.snapshots
    (snapshot_id, use_case, uri, sha256, rows, available_rows, train_rows, calibration_rows, test_rows, batch_ids)
VALUES ('snap', '', '', '', 1, 1, 1, 0, 0, '{}')
ON CONFLICT (snapshot_id) DO NOTHING
"""
ANSWERS = """
INSERT INTO serving.answers (
    answer_id, request_id, use_case, model_version, role, size, names, features, predictions, labels, probabilities,
    latency_ms, predicted_at
)
SELECT
    gen_random_uuid(), row.request_id, %(use_case)s, %(version)s, %(role)s, count(*), '{}', jsonb_agg('[]'::jsonb),
    CASE WHEN %(label)s IS NULL THEN array_agg(row.value) END,
    CASE WHEN %(label)s IS NOT NULL THEN array_agg(%(label)s::text) END,
    CASE
        WHEN %(label)s IS NOT NULL THEN jsonb_agg(jsonb_build_object('repaid', row.value, 'lost', 1 - row.value))
    END,
    min(row.latency_ms), %(at)s
FROM unnest(%(ids)s::text[], %(values)s::float8[], %(latencies)s::float8[]) AS row (request_id, value, latency_ms)
GROUP BY row.request_id
"""
FAILURES = """
INSERT INTO serving.failures
SELECT request_id, %(use_case)s, %(version)s, %(role)s, 'failed: test', %(at)s
FROM unnest(%(ids)s::text[]) AS request_id
"""
HEARTBEAT = """
INSERT INTO serving.replicas (
    use_case, host, pid, version, source, reason, runtime_sha256, started_at, seen_at, challenger_version,
    challenger_share, challenger_reason
)
VALUES (%(use_case)s, 'here', 1, 1, 'registry', 'ok', '', now(), now(), %(version)s, %(share)s, %(reason)s)
ON CONFLICT (use_case, host, pid) DO UPDATE SET
    seen_at = excluded.seen_at, challenger_version = excluded.challenger_version,
    challenger_share = excluded.challenger_share, challenger_reason = excluded.challenger_reason
"""
NUMBERS = count(1)

#: Short, and as strict as the default.
POLICY = Canary(steps=(0.2, 0.5), step_minutes=5, min_requests=40, max_hours=2)


@dataclass
class Scene:
    """A use case of its own: version 1 is its champion, version 2 is published and decided to be promoted.

    The champion's predictions of its reference are spread evenly from 0 to 1, so that a prediction is its own rank.

    Attributes:
        clock: What the looks take for now; traffic comes at it.
    """

    warehouse: Warehouse
    tracking: Tracking
    store: ObjectStore
    use_case: str
    releases: dict[int, Release] = field(default_factory=dict)
    clock: datetime = field(default_factory=lambda: datetime.now(UTC))

    def publish(self, bundle: Bundle) -> Release:
        """The next version."""
        run = self.tracking.client.create_run("0").info.run_id
        self.tracking.client.log_artifacts(run, str(bundle.folder), BUNDLE_PATH)
        version = self.tracking.register(self.use_case, run, {}, "").number
        release = Release(
            self.use_case, version, bundle.sha256, "runtime", run, "snap", f"{self.use_case}:v{version}", ""
        )
        deployments.publish(self.warehouse, self.store, release, bundle.folder)
        self.releases[version] = release
        return release

    def order(self, version: int = 2, champion: int | None = 1) -> Order:
        """A new decision that a version may serve."""
        release = self.releases[version]
        subject = Subject(
            use_case=self.use_case,
            version=version,
            bundle_sha256=release.bundle_sha256,
            champion_version=champion,
            champion_bundle_sha256=None,
        )
        good = Decision(code="promote", message="good")
        decision = store_decision(self.warehouse, f"run-{next(NUMBERS)}", subject, good, ())
        return Order(release, champion, decision, "gate", "all checks passed")

    def begin(self, policy: Canary = POLICY, order: Order | None = None) -> Rollout:
        """A canary of version 2 that every process follows."""
        canary.begin(self.warehouse, self.tracking, order or self.order(), policy)
        rollout = self.rollout()
        self.clock = max(self.clock, rollout.began_at)
        self.heartbeat(rollout.version, rollout.share)
        return rollout

    def rollout(self) -> Rollout:
        """The canary as it stands."""
        last = canary.newest(self.warehouse, self.use_case)
        assert last
        return last

    def look(self, after: timedelta = timedelta(seconds=10)) -> Verdict:
        """Look after a while."""
        self.clock += after
        return watch.look(self.warehouse, self.tracking, self.use_case, self.clock)

    def pursue(self, after: timedelta = timedelta(seconds=10)) -> Verdict:
        """Look after a while, and do what the look says."""
        self.clock += after
        return watch.pursue(self.warehouse, self.tracking, self.use_case, self.clock)

    def answer(
        self,
        role: str,
        values: Sequence[float],
        latency_ms: float | Sequence[float] = 10.0,
        ids: Sequence[str] | None = None,
        label: str | None = None,
        before: timedelta = timedelta(seconds=-1),
    ) -> None:
        """Log answers of a role: one request for each value, unless ids say that some belong together."""
        at = self.clock - before
        latencies = [latency_ms] * len(values) if isinstance(latency_ms, float) else list(latency_ms)
        row = {
            "use_case": self.use_case,
            "version": 1 if role == "champion" else 2,
            "ids": list(ids or (f"request-{next(NUMBERS)}" for _ in values)),
            "values": list(values),
            "latencies": latencies,
            "label": label,
            "role": role,
            "at": at,
        }
        self.warehouse.execute("SELECT serving.ensure_partition(%(day)s)", {"day": at.astimezone(UTC).date()})
        self.warehouse.execute(ANSWERS, row)

    def fail(self, role: str, times: int, ids: Sequence[str] | None = None) -> None:
        """Note failures of a role."""
        self.warehouse.execute(
            FAILURES,
            {
                "use_case": self.use_case,
                "version": 1 if role == "champion" else 2,
                "role": role,
                "ids": list(ids or (f"request-{next(NUMBERS)}" for _ in range(times))),
                "at": self.clock + timedelta(seconds=1),
            },
        )

    def forget(self) -> None:
        """Take the traffic away and set the clock right, for another canary of the same use case."""
        for statement in (
            "DELETE FROM serving.answers WHERE use_case = %(name)s",
            "DELETE FROM serving.failures WHERE use_case = %(name)s",
        ):
            self.warehouse.execute(statement, {"name": self.use_case})
        self.clock = datetime.now(UTC)

    def heartbeat(self, version: int | None, share: float | None, reason: str = "ok") -> None:
        """What the only process says of the challenger."""
        values = {"use_case": self.use_case, "version": version, "share": share, "reason": reason}
        self.warehouse.execute(HEARTBEAT, values)

    def alias(self, name: Any) -> int | None:
        """The version that an alias points to."""
        found = self.tracking.aliased(self.use_case, name)
        return found.number if found else None

    def tag(self, version: int = 2) -> str | None:
        """The share that serving reads."""
        return self.tracking.version(self.use_case, version).tags.get(SHARE_TAG)

    def ledger(self) -> list[tuple[str, int, float, str]]:
        """Every move so far: what, to which version, with which share, by whom."""
        rows = self.warehouse.rows(
            "SELECT * FROM ml.deployments WHERE use_case = %(name)s ORDER BY deployment_id", {"name": self.use_case}
        )
        return [(row["action"], row["to_version"], row["share"], row["actor"]) for row in rows]


def spread(bundle: Bundle, column: str = "x") -> Bundle:
    """The same bundle with a reference of inputs that are spread evenly."""
    rows = pd.DataFrame({column: np.linspace(0, 1, 500)})
    return bundles.write(
        bundle.folder.with_name(f"{bundle.folder.name}-spread"),
        (bundle.folder / "model.onnx").read_bytes(),
        bundle.contract,
        bundle.golden,
        rows,
    )


def scene(warehouse: Warehouse, tracking: Tracking, store: ObjectStore, champion: Bundle, challenger: Bundle) -> Scene:
    """A use case whose champion serves and whose challenger waits."""
    warehouse.execute(SNAPSHOT)
    made = Scene(warehouse, tracking, store, f"canary_{next(NUMBERS)}")
    first = made.publish(champion)
    made.publish(challenger)
    deployments.deploy(warehouse, tracking, store, Order(first, None, None, "test", "the first"))
    return made
