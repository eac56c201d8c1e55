"""A use case's past, written into a warehouse as its stages would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.evidence import Check, Evidence, Subject, Verdict
from sluice.domain.report import Report


@dataclass(frozen=True)
class History:
    """What is written down of one use case; on an open connection where there is much to write."""

    warehouse: Warehouse
    use_case: str
    connection: Connection | None = None

    def _write(self, statement: sql.Composable | str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        if self.connection is None:
            return self.warehouse.rows(statement, values)
        return fetch(self.connection, statement, values)

    def add(self, table: str, returning: str = "use_case", **values: Any) -> Any:
        """One row of a ledger."""
        schema, name = table.split(".")
        row = {"use_case": self.use_case} | values
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
            sql.Identifier(schema, name),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
            sql.Identifier(returning),
        )
        [kept] = self._write(statement, row)
        return kept[returning]

    def batch(self, sha: str, status: str = "accepted", rows: int = 900, bad: dict[str, int] | None = None) -> int:
        """A batch, with its bad rows in quarantine."""
        reasons = bad or {}
        batch: int = self.add(
            "ingest.batches",
            "batch_id",
            source_uri=f"file:///data/{sha}.csv",
            sha256=sha,
            bytes=1,
            rows=rows,
            quarantined=sum(reasons.values()),
            status=status,
            reason=f"{sum(reasons.values())} of {rows} rows are bad" if status == "rejected" else None,
            report_uri=Report.of_run(self.use_case, "validation", f"run-{sha}").path,
        )
        table = sql.Identifier("quarantine", self.use_case)
        made = (self.warehouse.statements / "ingestion" / "quarantine_table.sql").read_text(encoding="utf-8")
        self._write(sql.SQL(made).format(quarantine=table))
        place = 0
        for code, count in reasons.items():
            self._write(
                sql.SQL(
                    "INSERT INTO {} (_batch_id, _row, row, reasons)"
                    " SELECT %(batch)s, n, '{{}}', ARRAY[%(code)s] FROM generate_series(%(first)s, %(last)s) AS n"
                ).format(table),
                {"batch": batch, "code": code, "first": place + 1, "last": place + count},
            )
            place += count
        return batch

    def decision(self, version: int, code: str, at: datetime, checks: dict[str, Verdict], **more: Any) -> int:
        """A decision with its evidence."""
        subject = Subject(
            use_case=self.use_case,
            version=version,
            bundle_sha256="b" * 64,
            champion_version=version - 1 or None,
            champion_bundle_sha256=None,
        )
        said = tuple(
            Check(
                code=name,
                verdict=verdict,
                message=f"{name} is 0.61, at least 0.7 is needed",
                value=0.61,
                limit=">= 0.7",
            )
            for name, verdict in checks.items()
        )
        evidence = Evidence(subject=subject, blessing="good_enough", checks=said)
        run = f"promote-{version}"
        values = {
            "version": version,
            "champion_version": version - 1 or None,
            "code": code,
            "message": f"{code}, as the checks say",
            "evidence": Json([evidence.model_dump(mode="json")]),
            "dag_run_id": run,
            "decided_at": at,
            "report_uri": Report.of_run(self.use_case, "decision", run).path,
        }
        decision: int = self.add("ml.decisions", "decision_id", **(values | more))
        return decision

    def deployment(self, version: int, at: datetime, action: str = "promote", share: float = 1, **more: Any) -> None:
        """A step in what serves."""
        values = {"to_version": version, "actor": "gate", "reason": "all checks passed", "deployed_at": at}
        self.add("ml.deployments", "deployment_id", **(values | {"action": action, "share": share} | more))

    def release(self, version: int, at: datetime) -> None:
        """What a version is made of."""
        snapshot = f"{self.use_case}-{version}"
        parts = {"rows": 900, "available_rows": 900, "train_rows": 600, "calibration_rows": 100, "test_rows": 200}
        self.add("ml.snapshots", snapshot_id=snapshot, uri="file:///s", sha256="s" * 64, batch_ids=[1, 2], **parts)
        names = {"bundle_sha256": "b" * 64, "runtime_sha256": "r" * 64, "run_id": f"{version:032x}", "uri": "file:///b"}
        bento = f"{self.use_case}:v{version}-bbbbbbbbbbbb"
        self.add("ml.releases", version=version, snapshot_id=snapshot, bento=bento, created_at=at, **names)

    def replica(
        self, version: int | None, seen_at: datetime, pid: int = 7, reason: str = "serves the champion"
    ) -> None:
        """A serving process."""
        times = {"started_at": seen_at - timedelta(hours=5), "seen_at": seen_at}
        said = {"source": "registry", "reason": reason, "runtime_sha256": "r" * 64}
        self.add("serving.replicas", host="serving-1", pid=pid, version=version, **said, **times)

    def check(self, kind: str, verdict: str, at: datetime, share: float | None = None, version: int = 1) -> int:
        """A check of drift, quality or performance, and its page."""
        run = f"monitor-{at:%Y%m%d%H%M%S}"
        report: int = self.add(
            "monitoring.reports",
            "report_id",
            kind=kind,
            version=version,
            current_source="predictions",
            reference_rows=5000,
            current_rows=800,
            drifted_share=share,
            verdict=verdict,
            message=f"The {kind} check of {at:%d %b} says {verdict}.",
            recommendation="Retrain." if verdict in ("drifted", "degraded") else "Do not retrain.",
            report_uri=f"/sluice/reports/{self.use_case}/{kind}/{run}",
            dag_run_id=run,
            checked_for=at,
        )
        return report

    def column(self, report: int, name: str, drifted: bool | None, sampled: bool | None = None) -> None:
        """What a column did."""
        self._write(
            "INSERT INTO monitoring.columns (report_id, column_name, method, score, threshold, drifted,"
            " sampled_method, sampled_score, sampled_drifted)"
            " VALUES (%(report)s, %(name)s, 'wasserstein', 0.31, 0.1, %(drifted)s, %(sampler)s, 0.05, %(sampled)s)",
            {
                "report": report,
                "name": name,
                "drifted": drifted,
                "sampled": sampled,
                "sampler": None if sampled is None else "K-S",
            },
        )

    def finding(self, report: int, check: str, column: str, passed: bool | None) -> None:
        """What a check of quality found."""
        self._write(
            "INSERT INTO monitoring.quality"
            " VALUES (%(report)s, %(check)s, %(column)s, 0.12, 0.05, %(passed)s, %(said)s)",
            {
                "report": report,
                "check": check,
                "column": column,
                "passed": passed,
                "said": f"{check} of {column}: 12 % where 5 % may be",
            },
        )

    def figure(
        self, report: int, metric: str, basis: str, value: float | None, slice_: str = "", version: int = 1
    ) -> None:
        """What a check of performance measured."""
        bounds = (None, None) if value is None or basis == "promised" else (value * 0.95, value * 1.05)
        self._write(
            "INSERT INTO monitoring.performance VALUES"
            " (%(report)s, %(version)s, %(slice)s, %(metric)s, %(basis)s, %(value)s, %(low)s, %(high)s, 400)",
            {
                "report": report,
                "version": version,
                "slice": slice_,
                "metric": metric,
                "basis": basis,
                "value": value,
                "low": bounds[0],
                "high": bounds[1],
            },
        )

    def incident(self, kind: str, stage: str, headline: str, at: datetime, times: int = 1) -> None:
        """Something that is wrong until it is closed."""
        alert = {"stage": stage, "headline": headline, "error": f"{headline} was seen", "advice": "look at the report"}
        self.add(
            "monitoring.incidents",
            cause=f"{kind}:{self.use_case}.{headline}",
            kind=kind,
            alert=Json(alert),
            times=times,
            opened_at=at,
            seen_at=at,
            mailed_at=at,
        )


def calm(warehouse: Warehouse, use_case: str, metric: str, now: datetime) -> None:
    """A use case where everything is well: ten days of checks on the second release."""
    with warehouse.transaction() as connection:
        _calm(History(warehouse, use_case, connection), metric, now)


def _calm(history: History, metric: str, now: datetime) -> None:
    use_case, day = history.use_case, timedelta(days=1)
    history.batch(f"{use_case}-a", bad={"out_of_range:age": 3})
    for version in (1, 2):
        at = now - (40 - version) * day
        decision = history.decision(version, "promote", at, {"threshold.r2": "pass", "change.rmse": "pass"})
        history.release(version, at)
        history.deployment(version, at, from_version=version - 1 or None, decision_id=decision)
    for ago in range(9, -1, -1):
        at = now - ago * day - timedelta(hours=2)
        report = history.check("drift", "stable", at, 0.1 + 0.05 * (ago % 3), version=2)
        history.column(report, "income", drifted=False, sampled=False)
        history.finding(history.check("quality", "stable", at, version=2), "missing", "income", passed=True)
        report = history.check("performance", "stable" if ago > 2 else "unknown", at, version=2)
        history.figure(report, metric, "promised", 50_000, version=2)
        history.figure(report, metric, "estimated", 50_500 + 300 * (ago % 4), version=2)
        if ago > 2:
            history.figure(report, metric, "realised", 51_000 + 400 * (ago % 3), version=2)
    for pid in (7, 8):
        history.replica(2, now, pid)


def turned(warehouse: Warehouse, use_case: str, now: datetime) -> None:
    """A use case where one candidate was rejected, one forced by a person, and that one rolled back."""
    with warehouse.transaction() as connection:
        _turned(History(warehouse, use_case, connection), now)


def _turned(history: History, now: datetime) -> None:
    use_case, hour = history.use_case, timedelta(hours=1)
    history.batch(f"{use_case}-a")
    for version in (1, 2, 3):
        history.release(version, now - (12 - 2 * version) * hour)
    first = history.decision(1, "promote", now - 10 * hour, {"threshold.r2": "pass"})
    history.deployment(1, now - 10 * hour, decision_id=first)
    history.decision(2, "reject:threshold.r2", now - 8 * hour, {"change.rmse": "pass", "threshold.r2": "fail"})
    refused = history.decision(3, "reject:change.rmse", now - 6 * hour, {"change.rmse": "fail", "leak.x": "pass"})
    forced = history.decision(
        3,
        "promote",
        now - 5 * hour,
        {"change.rmse": "fail", "leak.x": "pass"},
        actor="ada",
        overrides=refused,
        message="forced: the old prices are wrong; set aside: change.rmse",
    )
    history.deployment(3, now - 5 * hour, from_version=1, decision_id=forced, actor="ada", reason="forced")
    history.deployment(
        1, now - 4 * hour, "rollback", from_version=3, actor="grace", reason="version 3 answers nonsense"
    )
    history.replica(1, now)


def drifting(warehouse: Warehouse, use_case: str, metric: str, now: datetime) -> None:
    """A use case whose data drifted, whose last batch was rejected, and where somebody has been told."""
    with warehouse.transaction() as connection:
        _drifting(History(warehouse, use_case, connection), metric, now)


def _drifting(history: History, metric: str, now: datetime) -> None:
    use_case, day = history.use_case, timedelta(days=1)
    history.batch(f"{use_case}-a")
    history.batch(f"{use_case}-b", "rejected", bad={"not_a_number:age": 80, "null:income": 31})
    decision = history.decision(1, "promote", now - 20 * day, {"threshold.r2": "pass"})
    history.release(1, now - 20 * day)
    history.deployment(1, now - 20 * day, decision_id=decision)
    for ago in range(9, -1, -1):
        at = now - ago * day - timedelta(hours=1)
        share = None if ago == 6 else min(0.9, 0.1 + 0.09 * (9 - ago))
        report = history.check(
            "drift", "unknown" if share is None else "drifted" if share > 0.5 else "stable", at, share
        )
        history.column(report, "income", drifted=True, sampled=False)
        history.column(report, "age", drifted=False, sampled=False)
        report = history.check("performance", "degraded" if ago < 3 else "stable", at)
        history.figure(report, metric, "promised", 0.30)
        history.figure(report, metric, "estimated", 0.31 + 0.01 * (9 - ago))
        history.figure(report, metric, "realised", 0.32 + 0.02 * (9 - ago) if ago > 1 else None)
        history.figure(report, metric, "realised", 0.5, slice_="city=London")
    report = history.check("quality", "degraded", now - timedelta(hours=1))
    history.finding(report, "new_categories", "city", passed=False)
    history.finding(report, "missing", "income", passed=True)
    history.finding(report, "volume", "", passed=None)
    breach = {"breach": "drift", "response": "retrain", "reason": "5 of the last 7 checks found drift"}
    history.add("monitoring.responses", dag_run_id="monitor-1", responded_for=now - day, **breach)
    history.incident("drift", "monitor", "income", now - 2 * day, times=3)
    history.replica(1, now - timedelta(minutes=10), reason="the registry does not answer")
