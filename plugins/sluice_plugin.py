"""What Sluice adds to Airflow: its pages, the button from a task to its report, alerts on import errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin
from airflow.serialization.definitions.operatorlink import XComOperatorLink

from sluice.orchestration import import_errors
from sluice.web import links

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """The pages as an ASGI application, built when the first of them is asked for."""
    # Local: every Airflow process reads this plugin and only the web server shows pages.
    from sluice.web.pages import application

    await application()(scope, receive, send)


APPS = [{"app": pages, "url_prefix": "/sluice", "name": "Sluice"}]
VIEWS = [
    {
        "name": "Sluice",
        "href": links.address("/sluice/use_cases"),
        "destination": "nav",
        "url_route": "sluice",
    },
    {
        "name": "Sluice",
        "href": links.address("/sluice/use_cases?dag={DAG_ID}"),
        "destination": "dag",
        "url_route": "sluice-dag",
    },
]
BUTTONS = [XComOperatorLink(name=links.REPORT_BUTTON, xcom_key=links.REPORT_XCOM)]
LISTENERS: list[object] = [import_errors]


class SluicePlugin(AirflowPlugin):
    """Everything at once, as Airflow wants it."""

    name = "sluice"
    fastapi_apps = APPS
    external_views = VIEWS
    global_operator_extra_links = BUTTONS
    listeners = LISTENERS
