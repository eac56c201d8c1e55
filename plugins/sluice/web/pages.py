"""Pages: what Sluice shows inside Airflow's UI."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError

from sluice import registry
from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.report import Report
from sluice.settings import settings
from sluice.web import links
from sluice.web.access import Reader
from sluice.web.overview import standings

if TYPE_CHECKING:
    from sluice.domain.use_case import UseCase

HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
#: Our own page: no script at all, nothing from outside.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
#: A stored report brings its scripts with it. The sandbox gives it an origin of its own, so that they cannot
#: act as the person who reads it, and everything that could leave the page is closed.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-scripts allow-downloads"
)


@cache
def application() -> FastAPI:
    """The pages, to be mounted at `/sluice`."""
    app = FastAPI(title="Sluice", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(HTTPException, _sign_in)
    app.add_api_route("/use_cases", use_cases, response_class=HTMLResponse)
    app.add_api_route("/reports/{use_case}/{kind}/{name}", report, response_class=HTMLResponse)
    return app


def use_cases(reader: Annotated[Reader, Depends()], dag: str | None = None) -> HTMLResponse:
    """Where every use case stands that the reader may see.

    Args:
        reader: Who asks.
        dag: A DAG's id: show only the use case it belongs to, if it belongs to one.
    """
    found = registry.find(settings().use_cases)
    readable = [u for u in found.use_cases if reader.may_read(f"{u.name}_monitor")]
    shown = [u for u in readable if dag is not None and _owns(u, dag)] or readable
    warehouse = Warehouse(settings().warehouse_dsn, settings().sql)
    now = datetime.now(UTC)
    text = (
        _templates()
        .get_template("use_cases.html.j2")
        .render(
            standings=standings(warehouse, shown, now),
            broken=found.broken,
            now=now,
            address=links.address,
        )
    )
    return HTMLResponse(text, headers={**HEADERS, "Content-Security-Policy": PAGE_POLICY})


def report(reader: Annotated[Reader, Depends()], use_case: str, kind: str, name: str) -> HTMLResponse:
    """A stored report.

    Raises:
        HTTPException: 404 when there is none by that name, or none that the reader may see.
    """
    missing = HTTPException(404, "There is no such report, or it is not yours to read.")
    try:
        address = Report.model_validate({"use_case": use_case, "kind": kind, "name": name})
    except ValidationError as error:
        raise missing from error
    if not reader.may_read(address.dag_id):
        raise missing
    try:
        content = ObjectStore(settings().object_store).read_bytes(address.key)
    except StateError as error:
        raise missing from error
    return HTMLResponse(content, headers={**HEADERS, "Content-Security-Policy": REPORT_POLICY})


async def _sign_in(request: Request, error: Exception) -> Response:
    """Send a person who is not signed in to Airflow's login, and back here afterwards."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    wants_page = "text/html" in request.headers.get("accept", "")
    if error.status_code == 401 and wants_page:
        back = quote(str(request.url), safe="")
        return RedirectResponse(links.address(f"/api/v2/auth/login?next={back}"))
    return await http_exception_handler(request, error)


def _owns(use_case: UseCase, dag_id: str) -> bool:
    return dag_id in {f"{use_case.name}_{stage}" for stage in ("ingest", "train", "promote", "monitor")}


@cache
def _templates() -> Environment:
    folder = Path(__file__).parent / "templates"
    templates = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["moment"] = lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return templates
