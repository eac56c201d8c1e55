"""The registry: versions, aliases and bundles, on a real MLflow server."""

import http.server
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import RestException

from local.ports import free_port
from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.domain.errors import StateError, TransientError
from tests.bentos.servers import Mlflow
from tests.unit.conftest import MakeBundle

MODEL = "tracked"
#: What MLflow calls some refusals.
CODES = {400: "BAD_REQUEST", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "REQUEST_LIMIT_EXCEEDED"}


@pytest.fixture(scope="module")
def tracking(registry: Mlflow) -> Tracking:
    return Tracking(registry.url)


@pytest.fixture(scope="module")
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(2.0)


@pytest.fixture(scope="module")
def run_id(tracking: Tracking, bundle: Bundle) -> str:
    run = tracking.client.create_run("0")
    tracking.client.log_artifacts(run.info.run_id, str(bundle.folder), BUNDLE_PATH)
    return str(run.info.run_id)


def test_a_run_is_registered_once(tracking: Tracking, run_id: str, bundle: Bundle) -> None:
    tags = {"bundle_sha256": bundle.sha256}

    first = tracking.register(MODEL, run_id, tags, "A line.")
    second = tracking.register(MODEL, run_id, tags, "A line.")

    assert first == second
    assert first.number == 1
    assert tracking.version(MODEL, 1).tags == tags


def test_an_alias_names_a_version_or_nothing(tracking: Tracking, run_id: str) -> None:
    tracking.register(MODEL, run_id, {}, "")
    assert tracking.aliased(MODEL, "champion") is None
    assert tracking.aliased("never_registered", "champion") is None

    tracking.point(MODEL, "champion", 1)

    champion = tracking.aliased(MODEL, "champion")
    assert champion is not None
    assert champion.number == 1


def test_the_newest_version_that_bears_all_tags_is_found(tracking: Tracking) -> None:
    assert tracking.found("found", {"code": "a"}) is None
    for code, rows in (("a", "1"), ("a", "2"), ("b", "2"), ("a", "1"), ("a", "it's 3")):
        run = tracking.client.create_run("0")
        tracking.register("found", run.info.run_id, {"code": code, "rows": rows}, "")

    found = [
        tracking.found("found", tags)
        for tags in (
            {"code": "a", "rows": "1"},
            {"rows": "2"},
            {"rows": "it's 3"},
            {"code": "b", "rows": "1"},
            {"x": ""},
        )
    ]

    assert [version and version.number for version in found] == [4, 3, 5, None, None]
    assert found[0] is not None
    assert found[0].tags == {"code": "a", "rows": "1"}


def test_a_version_is_found_on_whatever_page_it_is(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.adapters.tracking._PAGE", 2)
    for number in range(5):
        tracking.register("paged", tracking.client.create_run("0").info.run_id, {"number": str(number)}, "")

    found = tracking.found("paged", {"number": "0"})

    assert found is not None
    assert found.number == 1


def test_no_tags_would_find_any_version(tracking: Tracking) -> None:
    with pytest.raises(ValueError, match="no tags"):
        tracking.found(MODEL, {})


def test_a_bundle_arrives_as_it_was_written(tracking: Tracking, run_id: str, bundle: Bundle, tmp_path: Path) -> None:
    version = tracking.register(MODEL, run_id, {}, "")

    assert bundles.read(tracking.download_bundle(version, tmp_path)).sha256 == bundle.sha256


def test_a_version_that_is_not_there_is_said(tracking: Tracking, run_id: str) -> None:
    tracking.register(MODEL, run_id, {}, "")

    with pytest.raises(StateError, match="no version 99"):
        tracking.version(MODEL, 99)


def test_a_run_of_a_name_is_begun_once_and_added_to(tracking: Tracking) -> None:
    name = "scheduled__2026-05-01T03:00:00+00:00"

    first = tracking.open_run("line_monitoring", name, {"version": "3"})
    tracking.measure(first, {"drifted_share": 0.25})
    again = tracking.open_run("line_monitoring", name, {"version": "4"})
    tracking.attach(again, "drift.html", "<html></html>")

    assert first == again
    run = tracking.client.get_run(first)
    assert (run.info.run_name, run.info.status) == (name, "FINISHED")
    assert run.data.tags["version"] == "3"
    assert run.data.metrics == {"drifted_share": 0.25}
    assert [file.path for file in tracking.client.list_artifacts(first)] == ["drift.html"]
    assert tracking.open_run("line_monitoring", "another", {}) != first
    assert tracking.open_run("other_monitoring", name, {}) != first


def test_only_runs_that_are_old_are_discarded_with_their_files(tracking: Tracking) -> None:
    old = tracking.open_run("discarded", "old", {})
    tracking.attach(old, "drift.html", "<html></html>")
    time.sleep(0.02)
    between = datetime.now(UTC)
    time.sleep(0.02)
    young = tracking.open_run("discarded", "young", {})
    tracking.attach(young, "drift.html", "<html></html>")

    assert tracking.discard_runs("discarded", between) == 1
    assert tracking.discard_runs("discarded", between) == 0
    assert tracking.discard_runs("never_made", between) == 0

    assert tracking.client.get_run(old).info.lifecycle_stage == "deleted"
    assert tracking.client.list_artifacts(old) == []
    assert tracking.client.get_run(young).info.lifecycle_stage == "active"
    assert len(tracking.client.list_artifacts(young)) == 1


@pytest.mark.parametrize("alias", ["no such alias", "a" * 300], ids=["malformed", "too-long"])
def test_a_refusal_is_no_word_on_the_champion(tracking: Tracking, run_id: str, alias: Any) -> None:
    tracking.register(MODEL, run_id, {}, "")

    with pytest.raises(StateError, match="refuses"):
        tracking.aliased(MODEL, alias)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, StateError),
        (403, StateError),
        (404, StateError),
        (408, TransientError),
        (429, TransientError),
        (500, TransientError),
        (503, TransientError),
    ],
)
@pytest.mark.parametrize("body", ["json", "text"])
def test_a_server_that_is_busy_may_be_asked_again_and_one_that_says_no_may_not(
    status: int, error: type[Exception], body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = (
                json.dumps({"error_code": CODES.get(status, str(status)), "message": "no"}) if body == "json" else "no"
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(error):
                Tracking(f"http://127.0.0.1:{server.server_port}").version("line", 1)
        finally:
            server.shutdown()


@pytest.mark.parametrize("code", ["REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "TEMPORARILY_UNAVAILABLE"])
def test_a_server_that_is_asked_too_much_may_be_asked_again(tracking: Tracking, code: str) -> None:
    with pytest.raises(TransientError, match=code), tracking.answers():
        raise RestException({"error_code": code, "message": "later"})


def test_a_server_that_does_not_answer_may_answer_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TransientError, match="does not answer"):
        Tracking(f"http://127.0.0.1:{free_port()}").aliased(MODEL, "champion")
