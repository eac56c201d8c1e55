"""The end of a task's log, as people read it."""

import json
from pathlib import Path

import pytest

from sluice.domain.alert import MOST_LINES
from sluice.orchestration.logs import END_BYTES, tail
from tests.unit.orchestration.test_failures import RUN, Task


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Airflow keeps the log of one mapped task's second try."""
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
    folder = tmp_path / "dag_id=housing_ingest" / f"run_id={RUN}" / "task_id=search" / "map_index=4"
    folder.mkdir(parents=True)
    return folder / "attempt=2.log"


def read() -> tuple[str, ...]:
    return tail(Task("search", map_index=4, try_number=2))


def entry(event: str, **more: object) -> str:
    return json.dumps({"timestamp": "2026-05-01T01:02:03.5Z", "level": "info", "event": event, **more})


def test_entries_are_lines_and_an_exception_is_one_more(file: Path) -> None:
    said = entry("Task failed", level="error", error_detail=[{"exc_type": "ValueError", "exc_value": "boom"}])
    file.write_text("\n".join([entry("::group::Log"), entry("begun"), said]), encoding="utf-8")

    assert read() == ("01:02:03 info    begun", "01:02:03 error   Task failed", "ValueError: boom")


def test_what_is_no_entry_is_shown_as_it_is(file: Path) -> None:
    file.write_text("Killed\n\n" + entry("begun"), encoding="utf-8")

    assert read() == ("Killed", "01:02:03 info    begun")


def test_of_a_long_log_the_end_is_shown(file: Path) -> None:
    file.write_text("\n".join(entry(f"row {n}" + "x" * 200) for n in range(END_BYTES // 100)), encoding="utf-8")

    assert len(read()) == MOST_LINES
    assert f"row {END_BYTES // 100 - 1}x" in read()[-1]


def test_a_log_that_is_elsewhere_has_no_end(file: Path) -> None:
    assert read() == ()
