"""A health check says in words what is wrong, and nothing where nothing is."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from local import liveness
from local.ports import free_port
from local.state import REPOSITORY
from tests.conftest import Server

#: As much of Airflow's table as matters here.
TABLE = "CREATE TABLE job (job_type text, hostname text, state text, latest_heartbeat timestamptz)"
BEATS = """
INSERT INTO job VALUES
('TriggererJob', 'here', 'running', now() - interval '5 seconds'),
('SchedulerJob', 'here', 'running', now() - interval '10 minutes'),
('DagProcessorJob', 'there', 'running', now()),
('DagProcessorJob', 'here', 'failed', now())
"""


@pytest.fixture(scope="module")
def dsn(postgres_server: Server) -> str:
    """A database with signs of life in it."""
    made = postgres_server.create("liveness")
    with closing(psycopg2.connect(made)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(TABLE + ";" + BEATS)
    return made.replace("postgresql://", "postgresql+psycopg2://")


@pytest.fixture
def page() -> Iterator[str]:
    """A page that is there."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        pytest.param("triggerer", "", id="it gave a sign seconds ago"),
        pytest.param("scheduler", "the scheduler has given no sign of life for 600 s", id="it is silent"),
        pytest.param("dag-processor", "the dag-processor gave no sign of life yet", id="another host's does not count"),
    ],
)
def test_a_part_of_airflow_is_known_by_its_sign_of_life_on_this_host(dsn: str, part: str, words: str) -> None:
    found = liveness.look(part, {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": dsn}, "here")

    assert found == words


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    gone = f"postgresql+psycopg2://airflow:hidden@127.0.0.1:{free_port()}/airflow"

    found = liveness.look("scheduler", {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": gone}, "here")

    assert found.startswith("Airflow's database cannot be asked: ")
    assert "hidden" not in found


def test_a_page_that_answers_with_success_works_and_another_does_not(page: str) -> None:
    assert liveness.look(f"{page}/health", {}, "here") == ""
    assert "503" in liveness.look(f"{page}/broken", {}, "here")


def test_a_queue_that_does_not_answer_is_told_without_its_password() -> None:
    gone = f"redis://:hidden@127.0.0.1:{free_port()}/0"

    found = liveness.look("worker", {"AIRFLOW__CELERY__BROKER_URL": gone}, "here")

    assert found.startswith("the queue cannot be reached: ")
    assert "hidden" not in found


def test_the_check_fails_with_the_words(page: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.liveness", f"{page}/broken"],
        cwd=REPOSITORY / "include",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "503" in done.stderr
