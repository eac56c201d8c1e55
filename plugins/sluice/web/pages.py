"""Pages: what Sluice shows inside Airflow's UI."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from sluice import registry
from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SluiceError, StateError
from sluice.domain.report import Report, is_whole
from sluice.domain.use_case import UseCase
from sluice.registry import Registry
from sluice.settings import settings
from sluice.web import links, rendering, rights
from sluice.web.access import Reader
from sluice.web.dossier import dossier
from sluice.web.inquiry import inquire
from sluice.web.overview import standings
from sluice.web.platform import Health, platform, vital_signs
from sluice.web.rendering import HEADERS
from sluice.web.rights import STAGES, Rights
from sluice.web.runs import LATELY, metadata

#: A stored report brings its scripts with it. The sandbox gives it an origin of its own, so that they cannot
#: act as the person who reads it, and everything that could leave the page is closed.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-scripts allow-downloads"
)


@cache
def application() -> FastAPI:
    """The pages, to be mounted at `/sluice`. All of them are for reading."""
    app = FastAPI(title="Sluice", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(SluiceError, _excuse)
    app.add_api_route("/use_cases", use_cases, response_class=HTMLResponse)
    app.add_api_route("/use_cases/{name}", use_case, response_class=HTMLResponse)
    app.add_api_route("/platform", whole_platform, response_class=HTMLResponse)
    app.add_api_route("/reports/{use_case}/{kind}/{name}", report, response_class=HTMLResponse)
    return app


def use_cases(reader: Annotated[Reader, Depends()], dag: str | None = None) -> HTMLResponse:
    """Where every use case stands that the reader may see.

    Args:
        reader: Who asks.
        dag: A DAG's id: show only the use case it belongs to, if it belongs to one.
    """
    found, now = registry.find(settings().use_cases), datetime.now(UTC)
    readable, seen = _readable(reader, found)
    shown = [u for u in readable if dag is not None and _owns(u, dag)] or readable
    with inquire(_warehouse()) as inquiry:
        known = standings(inquiry, shown, seen, now)
    values = {"standings": known, "broken": found.broken, "has_platform": reader.may_see_platform()}
    return rendering.page("use_cases", now, values)


def use_case(reader: Annotated[Reader, Depends()], name: str) -> HTMLResponse:
    """Everything that the reader may know of one use case.

    Raises:
        HTTPException: 404 when there is none by that name, or none that the reader may see.
    """
    found, now = registry.find(settings().use_cases), datetime.now(UTC)
    wanted = next((u for u in found.use_cases if u.name == name), None)
    seen = rights.of(reader, [name])
    if wanted is None or name not in seen:
        raise HTTPException(404, "There is no such use case, or it is not yours to read.")
    with inquire(_warehouse()) as inquiry:
        known = dossier(inquiry, wanted, seen[name], now)
    values = {"use_case": wanted, "dossier": known, "has_platform": reader.may_see_platform()}
    return rendering.page("use_case", now, values)


def whole_platform(
    reader: Annotated[Reader, Depends()],
    session: Annotated[Session, Depends(metadata)],
    health: Annotated[Health, Depends(vital_signs)],
) -> HTMLResponse:
    """How the platform is.

    Raises:
        HTTPException: 403 when the reader may not see Airflow's own views of itself.
    """
    if not reader.may_see_platform():
        raise HTTPException(403, "The state of the platform is for those who may see Airflow's jobs.")
    found, now = registry.find(settings().use_cases), datetime.now(UTC)
    readable, seen = _readable(reader, found)
    known = platform(settings(), reader, session, readable, seen, health, now)
    values = {"platform": known, "broken": found.broken, "days": LATELY.days, "has_platform": True}
    return rendering.page("platform", now, values)


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
    if not reader.readable([address.dag_id]):
        raise missing
    store = ObjectStore(settings().object_store)
    if not store.exists(address.key):
        raise missing
    content = store.read_bytes(address.key)
    if not is_whole(content):
        raise StateError("the report was altered or cut off", store.url(address.key), "clear the task that made it")
    return HTMLResponse(content, headers={**HEADERS, "Content-Security-Policy": REPORT_POLICY})


async def _refuse(request: Request, error: Exception) -> Response:
    """Send a person who is not signed in to Airflow's login, and back here afterwards; tell others in words."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    if "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, error)
    if error.status_code == 401:
        back = quote(str(request.url), safe="")
        return RedirectResponse(links.address(f"/api/v2/auth/login?next={back}"))
    return _notice("Not to be shown", str(error.detail), error.status_code)


async def _excuse(request: Request, error: Exception) -> Response:
    """Say what keeps a page from being shown."""
    return _notice("This page cannot be shown just now", str(error), 503)


def _notice(title: str, message: str, status: int) -> HTMLResponse:
    values = {"title": title, "message": message, "has_platform": status >= 500}
    return rendering.page("notice", datetime.now(UTC), values, status)


def _readable(reader: Reader, found: Registry) -> tuple[list[UseCase], Rights]:
    """The use cases that a person may see anything of, and what of each."""
    seen = rights.of(reader, [u.name for u in found.use_cases])
    return [u for u in found.use_cases if u.name in seen], seen


def _warehouse() -> Warehouse:
    return Warehouse(settings().warehouse_dsn, settings().sql)


def _owns(use_case: UseCase, dag_id: str) -> bool:
    return dag_id in {f"{use_case.name}_{part}" for part in (*STAGES, "rollback", "canary")}
