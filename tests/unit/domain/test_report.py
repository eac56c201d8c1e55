import pytest
from pydantic import ValidationError

from sluice.domain.report import Kind, Report, is_whole, sealed


def test_a_run_has_one_address() -> None:
    report = Report.of_run("housing", "drift", "scheduled__2026-05-01T03:00:00+00:00")

    assert report == Report.of_run("housing", "drift", "scheduled__2026-05-01T03:00:00+00:00")
    assert report.key == f"reports/housing/drift/{report.name}.html"
    assert report.path == f"/sluice/reports/housing/drift/{report.name}"
    assert report.dag_id == "housing_monitor"


@pytest.mark.parametrize("kind", ["drift", "quality", "performance"])
def test_whoever_may_read_the_checks_may_read_their_reports(kind: Kind) -> None:
    assert Report.of_run("housing", kind, "run-1").dag_id == "housing_monitor"


@pytest.mark.parametrize(("one", "other"), [("a:b", "a-b"), ("../x", "x"), ("é" * 300, "é" * 301)])
def test_two_runs_never_share_an_address(one: str, other: str) -> None:
    assert Report.of_run("housing", "drift", one) != Report.of_run("housing", "drift", other)


@pytest.mark.parametrize("name", ["..", "../secret", "a/b", "a\\b", "a.html", "-a", "", "a\n", "%2e%2e"])
def test_no_address_leads_out_of_the_reports(name: str) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate({"use_case": "housing", "kind": "drift", "name": name})


@pytest.mark.parametrize(("use_case", "kind"), [("..", "drift"), ("housing", "secrets")])
def test_only_known_rooms_have_addresses(use_case: str, kind: str) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate({"use_case": use_case, "kind": kind, "name": "a"})


def test_a_page_that_is_stored_can_be_told_from_what_became_of_it() -> None:
    stored = sealed("<html>é</html>")

    assert is_whole(stored)
    assert not is_whole(stored.replace(b"html", b"HTML", 1))
    assert not is_whole(stored[:-1])
    assert not is_whole(stored + b"<script>")
    assert not is_whole(b"")
