"""Links: the way from a run in Airflow's UI to the page that its task made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.domain.report import Report

#: Where a task leaves the address of its report; every task that does so gets a button of this name.
REPORT_XCOM = "sluice_report"
REPORT_BUTTON = "Report"


class TaskInstance(Protocol):
    """What a running task is to this module."""

    def xcom_push(self, key: str, value: object) -> None: ...


def address(path: str) -> str:
    """A page's address as the browser needs it: below the prefix that Airflow's web server may have.

    Without a host, because the session's cookie belongs to the one that the person has opened.
    """
    return urlsplit(settings().airflow_url).path.rstrip("/") + path


def show(task_instance: TaskInstance, report: Report) -> None:
    """Give the running task a button that opens its report.

    Args:
        task_instance: The `ti` of the task's context.
        report: What it made.
    """
    task_instance.xcom_push(key=REPORT_XCOM, value=address(report.path))
