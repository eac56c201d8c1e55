from pathlib import Path

import pytest

from sluice.adapters.objects import ObjectStore
from sluice.domain.report import Report
from sluice.settings import settings
from tests.unit.web.conftest import Get

REPORT = Report.of_run("housing", "drift", "run-1")
HOUSING = {"housing_monitor"}


def below_mount(path: str) -> str:
    return path.removeprefix("/sluice")


@pytest.mark.parametrize("path", ["/use_cases", below_mount(REPORT.path)])
def test_nobody_sees_a_page_without_signing_in(get: Get, path: str) -> None:
    assert get(path).status_code == 401


def test_a_browser_is_sent_to_the_login_and_back(get: Get) -> None:
    answer = get("/use_cases?dag=housing_train", accept="text/html")

    assert answer.status_code == 307
    assert answer.headers["location"] == (
        "/api/v2/auth/login?next=http%3A%2F%2Fairflow.test%2Fuse_cases%3Fdag%3Dhousing_train"
    )


def test_a_report_is_shown_to_who_may_read_its_dag(get: Get, objects: ObjectStore) -> None:
    objects.write_bytes(REPORT.key, b"<html>drift</html>")

    answer = get(below_mount(REPORT.path), HOUSING)

    assert answer.status_code == 200
    assert answer.text == "<html>drift</html>"


def test_a_report_cannot_act_as_its_reader(get: Get, objects: ObjectStore) -> None:
    objects.write_bytes(REPORT.key, b"<script>steal()</script>")

    policy = get(below_mount(REPORT.path), HOUSING).headers["content-security-policy"]

    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy


def test_a_report_of_somebody_elses_dag_is_not_there(get: Get, objects: ObjectStore) -> None:
    objects.write_bytes(REPORT.key, b"<html>drift</html>")

    assert get(below_mount(REPORT.path), {"loans_monitor", "housing_train"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/reports/housing/drift/never-made",
        "/reports/housing/secrets/a",
        "/reports/housing/drift/..%2f..%2f..%2fchampion.json",
        "/reports/housing/drift/%2e%2e",
        "/reports/%2e%2e/drift/a",
    ],
)
def test_what_is_no_report_is_not_there(get: Get, objects: ObjectStore, path: str) -> None:
    objects.write_bytes("champion.json", b"secret")

    assert get(path, HOUSING).status_code == 404


def test_the_overview_shows_what_a_person_may_read(get: Get) -> None:
    assert "Housing prices" in get("/use_cases", HOUSING).text
    assert "There is no use case that you may read" in get("/use_cases", set()).text


def test_the_overview_runs_no_script_and_loads_nothing(get: Get) -> None:
    answer = get("/use_cases", HOUSING)

    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "<script" not in answer.text
    assert "http" not in answer.text


def test_a_dag_shows_its_own_use_case(get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = settings().use_cases / "housing" / "use_case.yaml"
    for name in ("housing", "housing_two"):
        (tmp_path / name).mkdir()
        text = shipped.read_text(encoding="utf-8").replace(
            "name: housing\ntitle: Housing prices", f"name: {name}\ntitle: {name}!"
        )
        (tmp_path / name / "use_case.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))
    settings.cache_clear()
    reads = {"housing_monitor", "housing_two_monitor"}

    assert "housing_two!" not in get("/use_cases?dag=housing_train", reads).text
    assert "housing!" not in get("/use_cases?dag=housing_two_train", reads).text
    assert "housing!" in get("/use_cases?dag=sluice_check", reads).text


def test_a_broken_spec_is_shown_as_text(get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "use_case.yaml").write_text("name: '<b>broken</b>'\n", encoding="utf-8")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))
    settings.cache_clear()

    text = get("/use_cases", set()).text

    assert "A use case is broken" in text
    assert "broken/use_case.yaml:1" in text
    assert "<b>" not in text
