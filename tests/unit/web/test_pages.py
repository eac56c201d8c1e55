import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.report import Report, sealed
from sluice.domain.use_case import UseCase
from sluice.settings import settings
from tests.unit.web import history
from tests.unit.web.conftest import Everything, Get, Person

REPORT = Report.of_run("housing", "drift", "run-1")
HOUSING = {"housing_monitor"}
ALL = Everything()
PAGES = ["/use_cases", "/use_cases/housing", "/platform", REPORT.path.removeprefix("/sluice")]


def below_mount(path: str) -> str:
    return path.removeprefix("/sluice")


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_without_signing_in(get: Get, path: str) -> None:
    assert get(path).status_code == 401


def test_a_browser_is_sent_to_the_login_and_back(get: Get) -> None:
    answer = get("/use_cases?dag=housing_train", accept="text/html")

    assert answer.status_code == 307
    assert answer.headers["location"] == (
        "/api/v2/auth/login?next=http%3A%2F%2Fairflow.test%2Fuse_cases%3Fdag%3Dhousing_train"
    )


def test_a_report_is_shown_to_who_may_read_its_dag(get: Get, objects: ObjectStore) -> None:
    objects.write_bytes(REPORT.key, sealed("<html>drift</html>"))

    answer = get(below_mount(REPORT.path), HOUSING)

    assert answer.status_code == 200
    assert answer.text.startswith("<html>drift</html>\n")


@pytest.mark.parametrize("harm", [lambda page: page[:-9], lambda page: page.replace(b"drift", b"DRIFT"), lambda _: b""])
def test_a_report_that_was_harmed_is_not_shown(get: Get, objects: ObjectStore, harm: Callable[[bytes], bytes]) -> None:
    objects.write_bytes(REPORT.key, harm(sealed("<html>drift</html>")))

    answer = get(below_mount(REPORT.path), HOUSING)

    assert answer.status_code == 503
    assert "altered or cut off" in answer.text


def test_a_report_cannot_act_as_its_reader(get: Get, objects: ObjectStore) -> None:
    objects.write_bytes(REPORT.key, sealed("<script>steal()</script>"))

    policy = get(below_mount(REPORT.path), HOUSING).headers["content-security-policy"]

    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy


def test_a_report_of_somebody_elses_dag_is_not_there(get: Get, objects: ObjectStore) -> None:
    objects.write_bytes(REPORT.key, sealed("<html>drift</html>"))

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


@pytest.mark.parametrize("path", PAGES[:3])
def test_a_page_runs_no_script_and_loads_nothing(get: Get, path: str) -> None:
    answer = get(path, ALL)

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "<script" not in answer.text
    assert " src=" not in answer.text
    assert "url(" not in answer.text
    assert not re.findall(r'href="(?!/sluice/|#)', answer.text)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed_by_a_page(get: Get, path: str, method: str) -> None:
    assert get(path, ALL, method=method).status_code == 405


def test_a_use_case_is_for_who_may_read_one_of_its_stages(get: Get) -> None:
    ingest = get("/use_cases/housing", {"housing_ingest"}).text

    assert "Batches and quarantine" in ingest
    assert "Last decisions" not in ingest
    assert "Drift over time" not in ingest
    assert get("/use_cases/housing", {"loan_monitor"}).status_code == 404
    assert get("/use_cases/absent", ALL).status_code == 404


def test_a_use_case_with_a_past_is_shown_whole(get: Get, warehouse: Warehouse, use_cases: tuple[UseCase, ...]) -> None:
    now = datetime.now(UTC)
    names = [u.name for u in use_cases[:3]]
    history.calm(warehouse, names[0], use_cases[0].performance_metric, now)
    history.turned(warehouse, names[1], now)
    history.drifting(warehouse, names[2], use_cases[2].performance_metric, now)

    overview = get("/use_cases", ALL).text
    turned, drifting = (get(f"/use_cases/{name}", ALL).text for name in names[1:])

    assert "All well" in overview
    assert "by ada" in turned
    assert "set aside: change.rmse" in turned
    assert "version 3 answers nonsense" in turned
    assert "5 of the last 7 checks found drift" in drifting
    assert "<polyline" in drifting
    assert f'href="/sluice/reports/{names[2]}/drift/' in drifting


def test_the_platform_is_for_who_may_see_airflows_own_views(get: Get) -> None:
    assert get("/platform", Everything(platform=False)).status_code == 403
    assert "/sluice/platform" not in get("/use_cases", Everything(platform=False)).text
    assert "/sluice/platform" in get("/use_cases", ALL).text


def test_the_platform_shows_every_integration_and_no_secret(get: Get) -> None:
    text = get("/platform", Person(HOUSING)).text

    for name in ("Warehouse", "Searches", "Model registry", "Object store", "Container engine", "Mail", "Serving"):
        assert name in text
    assert "hidden-word" not in text
    assert "only-for-tests" not in text
    assert "http://127.0.0.1:1" in text
    assert "The mail server does not answer" in text, "where it is, is for those who may read connections"


def test_what_is_away_is_said_and_the_rest_is_shown(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_WAREHOUSE_DSN", "postgresql://ada:hidden-word@127.0.0.1:1/warehouse")
    settings.cache_clear()

    overview, platform = get("/use_cases", ALL, accept="text/html"), get("/platform", ALL)

    assert (overview.status_code, platform.status_code) == (503, 200)
    assert "the warehouse does not answer" in overview.text
    assert "The warehouse, which knows them, did not answer" in platform.text
    assert "hidden-word" not in overview.text + platform.text


def test_a_page_that_is_not_to_be_shown_says_so_in_words(get: Get) -> None:
    answer = get("/use_cases/absent", ALL, accept="text/html")

    assert answer.status_code == 404
    assert "There is no such use case" in answer.text


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
