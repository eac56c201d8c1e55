"""What callers are told when the fault is not theirs: nothing loaded, a failure inside, a model without an answer."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import onnxruntime as ort
import pytest
from prometheus_client import CollectorRegistry

from tabular.answers.desk import Desk
from tabular.exchange import Bounds
from tabular.record.entries import Record
from tabular.releases import bundle
from tabular.releases.bundle import Bundle
from tabular.releases.standing import Release, Standing
from tabular.watching.metrics import Metrics
from tabular.web.routes import Routes
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle.load(bundles.write(tmp_path_factory.mktemp("bundle")), USE_CASE, Recipe().runtime_sha256)


def standing(loaded: Bundle) -> Standing:
    return Standing(Release(3, "baked", loaded, datetime.now(UTC)), "ok")


def ask(
    now: Standing, path: str = "/api/v1/predict", note: Callable[[Record], None] = lambda _: None
) -> tuple[httpx.Response, CollectorRegistry]:
    """One request to the application, in this process."""
    series = CollectorRegistry()
    desk = Desk(USE_CASE, "r" * 64, lambda: now, note, Metrics(USE_CASE, series))
    transport = httpx.ASGITransport(Routes(desk, Bounds(10_000, 10)).application(), raise_app_exceptions=False)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            if path == "/api/v1/predict":
                return await client.post(path, json={"instances": [EXAMPLE]})
            return await client.get(path)

    return asyncio.run(send()), series


def outcomes(series: CollectorRegistry) -> dict[str, float]:
    samples = (sample for metric in series.collect() for sample in metric.samples)
    return {sample.labels["outcome"]: sample.value for sample in samples if sample.name == "pred_requests_total"}


def test_before_a_release_is_loaded_callers_are_told_to_come_back() -> None:
    answer, series = ask(Standing(None, "unreachable: the registry does not answer [registry]"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "the registry does not answer" in answer.json()["detail"]
    assert outcomes(series) == {"not_ready": 1}


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/openapi.json", 503)])
def test_the_card_is_there_before_a_release_is(path: str, status: int) -> None:
    answer, _ = ask(Standing(), path)
    assert answer.status_code == status
    assert json.loads(answer.content).get("source", "none") == "none"


def test_a_failure_inside_is_told_without_its_details(loaded: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    words = "password: secret"

    def fail(_: Record) -> None:
        raise RuntimeError(words)

    answer, series = ask(standing(loaded), note=fail)
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:sluice:problem:internal")
    assert "secret" not in answer.text
    # Where it happened, and none of its words: they could quote a request.
    assert "failed: RuntimeError" in caplog.text
    assert "in fail" in caplog.text
    assert "secret" not in caplog.text
    assert answer.headers["x-request-id"] in answer.json()["detail"]
    assert outcomes(series) == {"error": 1}


@pytest.mark.parametrize("recipe", [Recipe(), bundles.BINARY], ids=["number", "classes"])
def test_a_prediction_that_is_none_is_never_sent(tmp_path: Path, recipe: Recipe) -> None:
    loaded = bundle.load(bundles.write(tmp_path, recipe), USE_CASE, recipe.runtime_sha256)
    blind = replace(loaded, session=ort.InferenceSession(bundles.graph(replace(recipe, base=math.nan))))
    answer, _ = ask(standing(blind))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:sluice:problem:no-prediction")
    assert [fault["path"] for fault in answer.json()["errors"]] == ["instances[0]"]
