"""Housing prices, from rows to a live answer and back to the source file, all of it through Airflow."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sluice.domain.use_case import UseCase
from tests.live import REPOSITORY, LiveStack


@pytest.fixture(scope="module")
def first(live: LiveStack) -> dict[str, Any]:
    """The first promotion of all: the sample ingested, a candidate trained and judged."""
    live.run("housing_ingest")
    _, decision = live.promote("housing", trials=6)
    return decision


def test_the_first_candidate_is_promoted_on_the_thresholds_of_the_spec(
    live: LiveStack, first: dict[str, Any], housing: UseCase
) -> None:
    checks = {check["code"]: check for part in first["evidence"] for check in part["checks"]}

    assert first["code"] == "promote"
    assert {f"threshold.{name}" for name in housing.gate.thresholds} <= set(checks)
    assert {"ready", "golden_parity", "bad_input", "latency_p99"} <= set(checks)
    assert {check["verdict"] for check in checks.values()} == {"pass"}
    assert live.champion("housing") == first["version"]


@pytest.mark.container
def test_the_image_of_the_first_release_was_run_and_keeps_to_its_budget(
    first: dict[str, Any], say: Callable[[str], None]
) -> None:
    checks = {check["code"]: check for part in first["evidence"] for check in part["checks"]}

    say(f"housing's image: {checks['image_size']['value']:.0f} MB, ready in {checks['ready']['value']:.1f} s")
    assert checks["image_size"]["value"] <= 460
    assert checks["ready"]["value"] <= 6
    assert {checks[code]["verdict"] for code in ("image", "non_root", "read_only", "stops")} == {"pass"}


def test_the_number_shown_is_the_one_in_mlflow(live: LiveStack, first: dict[str, Any]) -> None:
    shown = next(part["metrics"]["r2"] for part in first["evidence"] if part["blessing"] == "good_enough")
    version = live.tracking.version("housing", first["version"])

    assert live.tracking.client.get_run(version.run_id).data.metrics["gate_r2"] == pytest.approx(shown)


def test_a_prediction_leads_back_to_its_source_file(live: LiveStack, first: dict[str, Any], housing: UseCase) -> None:
    answer = live.predict("housing", dict(housing.serving.example))
    identifier = answer["predictions"][0]["prediction_id"]

    rows = _soon(
        lambda: live.warehouse.rows(live.warehouse.statement("lineage/prediction"), {"prediction_id": identifier})
    )

    assert answer["model_version"] == first["version"]
    assert [row["model_version"] for row in rows] == [first["version"]]
    assert rows[0]["source_uri"].startswith("sample:housing")
    assert len(rows[0]["sha256"]) == 64


def test_the_same_again_changes_nothing(live: LiveStack, first: dict[str, Any]) -> None:
    # Every run judges the batch, and has a page that says how.
    batches = "SELECT to_jsonb(batch) - 'report_uri' AS batch FROM ingest.batches AS batch ORDER BY batch_id"
    before = live.warehouse.rows(batches)
    live.run("housing_ingest")
    promotion, decision = live.promote("housing", trials=6)

    assert live.warehouse.rows(batches) == before
    assert promotion.state == "success"
    assert decision["code"] == "reject:unchanged"
    assert live.champion("housing") == first["version"]


def test_the_daily_checks_keep_numbers_and_pages(live: LiveStack, first: dict[str, Any], housing: UseCase) -> None:
    run = live.run("housing_monitor", current="validated")

    found = live.warehouse.rows("SELECT * FROM monitoring.reports WHERE dag_run_id = %(run)s", {"run": run.run_id})
    reports = {report["kind"]: report for report in found}
    report = reports["drift"]
    columns = live.warehouse.rows(
        "SELECT column_name FROM monitoring.columns WHERE report_id = %(id)s", {"id": report["report_id"]}
    )
    assert report["verdict"] == "stable"
    assert report["version"] == first["version"]
    assert {column.name for column in housing.inputs} <= {row["column_name"] for row in columns}

    assert {kind: report["verdict"] for kind, report in reports.items()} == {
        "drift": "stable",
        "quality": "stable",
        # Nobody was asked yesterday, so that neither labels nor an estimate can tell.
        "performance": "unknown",
    }
    journal = live.tracking.open_run("housing_monitoring", run.run_id, {})
    kept = {file.path for file in live.tracking.client.list_artifacts(journal)}
    assert kept == {f"{kind}.html" for kind in reports}

    token = httpx.post(
        f"{live.addresses.airflow}/auth/token",
        json={"username": "viewer", "password": live.addresses.credentials.viewer},
        trust_env=False,
    ).json()["access_token"]
    for report in reports.values():
        page = f"{live.addresses.airflow}{report['report_uri']}"
        assert httpx.get(page, trust_env=False).status_code in (302, 307, 401, 403)
        shown = httpx.get(page, headers={"authorization": f"Bearer {token}"}, trust_env=False)
        assert shown.status_code == 200
        assert "<html" in shown.text
        assert report["recommendation"] in html.unescape(shown.text)


def test_a_bad_file_is_rejected_whole_and_mailed(live: LiveStack, first: dict[str, Any], tmp_path: Path) -> None:
    header = "longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,"
    header += "median_income,median_house_value,ocean_proximity"
    good = "-122.23,37.88,41,880,129,322,126,8.3252,452600,NEAR BAY"
    bad = "-122.23,97.88,41,880,129,322,126,8.3252,452600,ON THE MOON"
    source = tmp_path / "bad.csv"
    source.write_text("\n".join([header, *[good] * 5000, *[bad] * 600]) + "\n", encoding="utf-8")
    seen = len(live.mails())
    rows = live.warehouse.rows("SELECT count(*) AS rows FROM validated.housing")

    run = live.finish(live.start("housing_ingest", source=str(source), reason="a bad file"))

    assert run.state == "failed"
    mail = live.await_mail("housing", "ingest", "failed", seen=seen)
    assert "range:latitude" in mail["html"] + mail["text"]
    assert live.warehouse.rows("SELECT count(*) AS rows FROM validated.housing") == rows
    [batch] = live.warehouse.rows("SELECT status, quarantined FROM ingest.batches ORDER BY batch_id DESC LIMIT 1")
    assert batch == {"status": "rejected", "quarantined": 600}
    time.sleep(3)
    assert len([mail for mail in live.mails()[seen:] if " housing " in mail["subject"]]) == 1, (
        "one cause sends one mail"
    )


def test_a_mistyped_field_is_refused_rather_than_ignored(live: LiveStack, first: dict[str, Any]) -> None:
    seen = len(live.mails())

    run = live.finish(live.start("housing_ingest", sorce="no/such/file.csv"))

    assert run.state == "failed"
    mail = live.await_mail("housing", "ingest", "failed", seen=seen)
    assert "source" in mail["text"]


def test_a_mistyped_promotion_is_one_mail_although_two_of_its_tasks_fail(
    live: LiveStack, first: dict[str, Any]
) -> None:
    seen = len(live.mails())

    run = live.finish(live.start("housing_promote", versoin=1))

    failed = [task.task_id for task in live.airflow.tasks(run) if task.state == "failed"]
    live.await_mail("housing", "promote", "failed", seen=seen)
    time.sleep(3)
    assert len(failed) >= 2
    assert len([mail for mail in live.mails()[seen:] if " promote " in mail["subject"]]) == 1


@pytest.mark.real_data
def test_real_data_brings_a_better_champion_without_a_failed_request(
    live: LiveStack, first: dict[str, Any], housing: UseCase, real_data: Path
) -> None:
    live.run("housing_ingest", source=str(real_data / str(housing.source.real_data)))
    with _asking(live, housing) as answers:
        _, decision = live.promote("housing", trials=8)
        _soon(lambda: [a for a in answers if a[1] == decision["version"]])

    shown = next(part["metrics"]["r2"] for part in decision["evidence"] if part["blessing"] == "good_enough")
    assert decision["code"] == "promote"
    mean, spread = benchmarked("r2")
    assert abs(shown - mean) <= 2 * spread, "one training lands within the spread of docs/models.md"
    assert {status for status, _, _ in answers} == {200}
    [row] = live.warehouse.rows(
        "SELECT extract(epoch FROM deployed_at) AS at FROM ml.deployments"
        " WHERE use_case = 'housing' AND to_version = %(version)s",
        {"version": decision["version"]},
    )
    live_after = min(at for _, version, at in answers if version == decision["version"]) - float(row["at"])
    assert live_after < 5, f"live {live_after:.1f} s after the alias moved"


def benchmarked(metric: str) -> tuple[float, float]:
    """Mean and standard deviation of a metric of housing, as the benchmark wrote them down."""
    page = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    found = re.search(rf"## Housing prices.*?\| {metric} \| ([\d.]+) \| ([\d.]+) \|", page, re.DOTALL)
    assert found is not None
    return float(found[1]), float(found[2])


@contextmanager
def _asking(live: LiveStack, housing: UseCase) -> Iterator[list[tuple[int, int | None, float]]]:
    """Ask the endpoint all the time; collects status, version and moment of each answer."""
    answers: list[tuple[int, int | None, float]] = []
    over = threading.Event()

    def ask() -> None:
        url = f"{live.addresses.serving('housing')}/api/v1/predict"
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not over.is_set():
                answer = client.post(url, json={"instances": [dict(housing.serving.example)]})
                version = answer.json().get("model_version") if answer.is_success else None
                answers.append((answer.status_code, version, time.time()))
                over.wait(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def _soon(look: Any, seconds: float = 20) -> Any:
    """What a look sees, as soon as it sees anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing was seen in time"
        time.sleep(0.2)
    return found
