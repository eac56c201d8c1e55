"""Large bodies: refused by their size before they are read, a few at once, and small ones beside them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client import CollectorRegistry

from tabular.answers.desk import Desk
from tabular.exchange import Bounds
from tabular.problem import ProblemError
from tabular.releases import bundle
from tabular.releases.bundle import Bundle
from tabular.releases.standing import Release, Standing
from tabular.watching.metrics import Metrics
from tabular.web.aside import INLINE, Aside
from tabular.web.routes import Routes
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.servers import eventually

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    recipe = bundles.slow(Recipe(), toil=300)
    return bundle.load(bundles.write(tmp_path_factory.mktemp("bundle"), recipe), USE_CASE, recipe.runtime_sha256)


def client(loaded: Bundle, most: int = 10_000_000) -> httpx.AsyncClient:
    """Somebody who asks the application, in this process."""
    now = Standing(Release(3, "baked", loaded, datetime.now(UTC)), "ok")
    desk = Desk(USE_CASE, "r" * 64, lambda: now, lambda _: None, Metrics(USE_CASE, CollectorRegistry()))
    transport = httpx.ASGITransport(Routes(desk, Bounds(most, 10)).application(), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


@pytest.mark.parametrize(
    ("path", "wide"),
    [("/api/v1/predict", "instances"), ("/predict", "instance"), ("/api/v1/feedback", "labels")],
)
def test_what_is_larger_than_the_contract_allows_is_refused_unread(loaded: Bundle, path: str, wide: str) -> None:
    most = getattr(loaded.schema.sizes, wide)

    async def ask(size: int, limit: int) -> httpx.Response:
        async with client(loaded, limit) as caller:
            return await caller.post(path, content=b"[" + b" " * (size - 1), headers=JSON)

    for limit, told in ((10_000_000, most), (5000, 5000)):
        fits, large = asyncio.run(ask(told, limit)), asyncio.run(ask(told + 1, limit))
        assert (fits.status_code, fits.json()["type"]) == (400, "urn:sluice:problem:malformed-json")
        assert (large.status_code, large.json()["type"]) == (413, "urn:sluice:problem:body-too-large")
        assert large.json()["detail"] == f"a body may have {told} bytes"


def test_a_few_large_ones_are_answered_at_once_and_small_ones_beside_them(loaded: Bundle) -> None:
    large = json.dumps({"instances": [EXAMPLE]}).encode() + b" " * INLINE

    async def ask() -> tuple[list[httpx.Response], httpx.Response]:
        async with client(loaded) as caller:
            waiting = [caller.post("/api/v1/predict", content=large, headers=JSON) for _ in range(5)]
            under_way = asyncio.gather(*waiting)
            await asyncio.sleep(0.05)
            feedback = await caller.post("/api/v1/feedback", content=b"[]" + b" " * INLINE, headers=JSON)
            return await under_way, feedback

    answers, feedback = asyncio.run(ask())
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 503]
    (busy,) = (answer for answer in answers if answer.status_code == 503)
    for refused in (busy, feedback):
        assert (refused.json()["type"], refused.headers["retry-after"]) == ("urn:sluice:problem:busy", "1")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def test_a_caller_who_leaves_makes_no_room_before_his_work_is_done(gate: threading.Event) -> None:
    aside = Aside(1)

    async def leave() -> None:
        left = asyncio.create_task(aside.run(gate.wait))
        await asyncio.sleep(0.05)
        left.cancel()
        await asyncio.wait({left})
        async with asyncio.timeout(2):
            with pytest.raises(ProblemError, match="busy"):
                await aside.run(int)

    async def told() -> bool:
        try:
            return await aside.run(int) == 0
        except ProblemError:
            return False

    asyncio.run(leave())
    gate.set()
    eventually(lambda: asyncio.run(told()))
