import pytest

from sluice.domain.report import Report
from sluice.settings import settings
from sluice.web import links


class Task:
    """A running task that remembers what it pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, object] = {}

    def xcom_push(self, key: str, value: object) -> None:
        self.pushed[key] = value


@pytest.mark.parametrize(
    ("base_url", "prefix"),
    [("http://127.0.0.1:8080", ""), ("https://example.test/airflow/", "/airflow")],
    ids=["at the root", "behind a prefix"],
)
def test_a_task_leaves_the_address_of_its_report(monkeypatch: pytest.MonkeyPatch, base_url: str, prefix: str) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    settings.cache_clear()
    task, report = Task(), Report.of_run("housing", "drift", "run-1")

    links.show(task, report)

    settings.cache_clear()
    assert task.pushed == {links.REPORT_XCOM: prefix + report.path}
