"""The HTTP side: which address does what, what a body may be, how a problem is told."""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tabular import metrics, openapi, sides
from tabular.card import card
from tabular.desk import Desk, serving
from tabular.problem import MEDIA_TYPE, ProblemError
from tabular.shadow import Shadow
from tabular.sides import Call
from tabular.standing import Challenger

logger = logging.getLogger("bentoml.tabular")

#: Bodies up to this many bytes are answered on the event loop; a thread would cost more than it spares.
INLINE = 16_384
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_KINDS = {404: "not-found", 405: "method-not-allowed"}


@dataclass(frozen=True)
class Routes:
    """The addresses of the service.

    Attributes:
        body_limit: Largest request body, in bytes.
        shadow: Where challengers without a share are given requests; without it they get none.
    """

    desk: Desk
    body_limit: int
    shadow: Shadow | None = None

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self.card, methods=["GET"]),
                Route("/openapi.json", self.openapi, methods=["GET"]),
                Route("/metrics", self.metrics, methods=["GET"]),
                Route("/api/v1/predict", self.predict, methods=["POST"]),
            ],
            exception_handlers={
                HTTPException: self.misdirected,
                ProblemError: self.refused,
                Exception: self.failed,
            },
        )

    async def predict(self, request: Request) -> Response:
        """Answer the instances in the body."""
        started = time.perf_counter()
        request_id = _request_id(request)
        outcome, version = "error", None
        challenger, call = None, None
        try:
            standing = self.desk.standing()
            champion, challenger = serving(standing), standing.challenger
            version = champion.version
            _expect_json(request)
            body = await self._body(request)
            key = _key(request, request_id) if challenger else ""
            call = Call(body, request_id, key, started, time.perf_counter())
            work = (self.desk, champion, challenger, call)
            content, version = (
                sides.answer(*work) if len(body) <= INLINE else await run_in_threadpool(sides.answer, *work)
            )
            outcome = "ok"
            response = self._respond(request_id, content, version=version)
        except ProblemError as problem:
            outcome = "not_ready" if problem.status == 503 else "refused"
            if problem.kind != "no-prediction":
                # What breaks the contract is nothing to try a challenger on.
                challenger = None
            response = self._tell(request_id, problem, version)
        except ClientDisconnect:
            # Nobody reads this; it only keeps a caller's hanging up from being reported as a failure.
            outcome = "refused"
            return Response(status_code=400)
        finally:
            self.desk.metrics.answered(version, outcome, time.perf_counter() - started)
        response.background = self._aside(challenger, call)
        return response

    async def card(self, request: Request) -> Response:
        """Say what serves."""
        document = card(self.desk.use_case, self.desk.runtime_sha256, self.desk.standing())
        return self._respond(_request_id(request), json.dumps(document).encode())

    async def openapi(self, request: Request) -> Response:
        """Describe the interface of the release that serves."""
        release = serving(self.desk.standing())
        document = openapi.document(release.bundle.contract, release.version)
        return self._respond(_request_id(request), json.dumps(document).encode())

    async def metrics(self, request: Request) -> Response:
        """The series that Prometheus reads."""
        content = await run_in_threadpool(metrics.exposition)
        return Response(content, media_type=metrics.MEDIA_TYPE)

    async def misdirected(self, request: Request, error: Exception) -> Response:
        """Tell that an address or a method does not exist."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        headers = dict(getattr(error, "headers", None) or {})
        detail = f"{request.method} {request.url.path[:200]}"
        kind = _KINDS.get(status, "not-found")
        return self._tell(_request_id(request), ProblemError(status, kind, detail, headers=headers))

    async def refused(self, request: Request, error: Exception) -> Response:
        """Tell what is wrong with a request."""
        if not isinstance(error, ProblemError):
            raise error
        return self._tell(_request_id(request), error)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Tell that the fault is ours, and keep the details to ourselves."""
        request_id = _request_id(request)
        logger.error("request %s failed", request_id, exc_info=error)
        return self._tell(request_id, ProblemError(500, "internal", f"look for {request_id} in the log of the service"))

    async def _body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.body_limit:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self.body_limit:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> ProblemError:
        return ProblemError(413, "body-too-large", f"a body may have {self.body_limit} bytes")

    def _aside(self, challenger: Challenger | None, call: Call | None) -> BackgroundTask | None:
        """What happens once the answer is sent."""
        if challenger is None or challenger.share > 0 or call is None or self.shadow is None:
            return None
        return BackgroundTask(self.shadow.offer, challenger.release, call)

    def _tell(self, request_id: str, problem: ProblemError, version: int | None = None) -> Response:
        content = problem.body(request_id)
        return self._respond(request_id, content, problem.status, MEDIA_TYPE, version, dict(problem.headers))

    def _respond(
        self,
        request_id: str,
        content: bytes,
        status: int = 200,
        media_type: str = "application/json",
        version: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        if version is None and (release := self.desk.standing().release):
            version = release.version
        own: dict[str, Any] = {"x-request-id": request_id, **(headers or {})}
        if version is not None:
            own["x-sluice-version"] = str(version)
        return Response(content, status, own, media_type)


def _request_id(request: Request) -> str:
    """The caller's id where it is sane; a made-up one otherwise, the same one for the whole request."""
    state = request.state
    if not hasattr(state, "request_id"):
        given = request.headers.get("x-request-id", "")
        state.request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
    request_id: str = state.request_id
    return request_id


def _key(request: Request, request_id: str) -> str:
    """What decides the request's side: the caller's key where it is sane, the request's own id otherwise."""
    given = request.headers.get("x-sluice-key", "")
    return given if _SANE_ID.fullmatch(given) else request_id


def _expect_json(request: Request) -> None:
    """Refuse a body that is not declared to be plain JSON in UTF-8."""
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "").removeprefix("charset=")
    if media.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise ProblemError(415, "unsupported-media-type", "send content-type: application/json, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(415, "unsupported-media-type", "send the body without a content-encoding")
