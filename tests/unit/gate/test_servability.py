"""A release is judged by what its endpoint answers: the serving code's own application, or one that errs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from sluice.adapters import bundles as adapters
from sluice.domain.evidence import Check, Subject
from sluice.domain.policy import Servable
from sluice.domain.release import Isolation, Started, Stopped
from sluice.gate import servability
from tabular.answers.desk import Desk
from tabular.exchange import Bounds, Message, Receive, Send
from tabular.releases import bundle
from tabular.releases.standing import Release, Standing
from tabular.watching.metrics import Metrics
from tabular.web.routes import Routes
from tests.bentos import bundles
from tests.bentos.bundles import BINARY, MULTICLASS, USE_CASE, Recipe
from tests.bentos.servers import free_port

SUBJECT = Subject(use_case=USE_CASE, version=3, bundle_sha256="x", champion_version=None, champion_bundle_sha256=None)
POLICY = Servable(p99_ms=10_000)

#: Changes an answer on its way to the caller.
Spoil = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Endpoint:
    """A server in this process.

    Attributes:
        url: Where it answers.
        server: Answers until it is told to exit.
        thread: Its own.
    """

    url: str
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self, patience: float) -> Stopped:
        """End it as a signal does."""
        begin = time.monotonic()
        self.server.should_exit = True
        self.thread.join(patience)
        return Stopped(seconds=None if self.thread.is_alive() else time.monotonic() - begin, exit_code=0)

    def drop(self, patience: float) -> Stopped:
        """End it without regard to what it is about to answer."""
        self.server.force_exit = True
        return self.stop(patience)


@contextmanager
def endpoint(folder: Path, recipe: Recipe, spoil: Spoil = lambda _: None) -> Iterator[Endpoint]:
    """The serving code's application for a bundle as version 3, on a port of this process."""
    loaded = bundle.load(folder, USE_CASE, recipe.runtime_sha256)
    standing = Standing(Release(3, "baked", loaded, datetime.now(UTC)), "ok")
    desk = Desk(
        USE_CASE, recipe.runtime_sha256, lambda: standing, lambda _: None, Metrics(USE_CASE, CollectorRegistry())
    )
    inner = Routes(desk, Bounds(1_000_000, 10)).application()

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        """The application, with its answers spoilt on their way out."""
        begun: list[Message] = []

        async def spoilt(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            (start,), content = begun, message["body"]
            if start["status"] == 200:
                document = json.loads(content)
                spoil(document)
                content = json.dumps(document).encode()
                start["headers"] = [
                    (name, b"%d" % len(content) if name == b"content-length" else value)
                    for name, value in start["headers"]
                ]
            await send(start)
            await send({**message, "body": content})

        await inner(scope, receive, spoilt)

    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(application, port=port, lifespan="off", ws="none", log_level="error", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Endpoint(f"http://127.0.0.1:{port}", server, thread)
    finally:
        server.should_exit = True
        thread.join(10)


def judged(
    folder: Path,
    recipe: Recipe,
    spoil: Spoil = lambda _: None,
    *,
    stop: Callable[[Endpoint, float], Stopped] = Endpoint.stop,
    image: str | None = "sluice/housing:v3",
    isolation: Isolation | None = None,
    policy: Servable = POLICY,
) -> dict[str, Check]:
    """What the gate says of a release, by code."""
    bundles.write(folder, recipe)
    release = adapters.read(folder)
    with endpoint(folder, recipe, spoil) as running:
        started = Started(running.url, ready_seconds=1.0, how="in this process", isolation=isolation)
        evidence = servability.judge(
            policy,
            SUBJECT,
            started,
            release.contract,
            release.golden,
            image=image,
            stop=partial(stop, running),
        )
    return {check.code: check for check in evidence.checks}


@pytest.mark.parametrize(
    "recipe", [Recipe(), bundles.LOGARITHMIC, BINARY, MULTICLASS], ids=["number", "log", "two", "three"]
)
def test_a_release_that_keeps_its_contract_is_servable(tmp_path: Path, recipe: Recipe) -> None:
    checks = judged(tmp_path, recipe)

    assert {code: check.verdict for code, check in checks.items()} == {
        "ready": "pass",
        "golden_parity": "pass",
        "bad_input": "pass",
        "latency_p99": "pass",
        "stops": "pass",
        "image": "pass",
    }


def said(document: dict[str, Any]) -> dict[str, Any]:
    last: dict[str, Any] = document["predictions"][-1]
    return last


SPOILT: dict[str, tuple[Recipe, Spoil, str]] = {
    "another number": (Recipe(), lambda d: said(d).update(prediction=105.5), "largest golden difference"),
    "a number as text": (Recipe(), lambda d: said(d).update(prediction="105.0"), "'105.0' is not a number"),
    "no number": (Recipe(), lambda d: said(d).update(prediction=None), "None is not a number"),
    "other probabilities": (
        MULTICLASS,
        lambda d: said(d)["probabilities"].update(middle=said(d)["probabilities"]["middle"] + 1e-4),
        "largest golden difference",
    ),
    "a class less": (MULTICLASS, lambda d: said(d)["probabilities"].pop("middle"), "KeyError: 'middle'"),
    "another class": (MULTICLASS, lambda d: said(d).update(prediction="middle"), "is not the most probable class"),
    "the title for the class": (BINARY, lambda d: said(d).update(prediction="Cheap"), "is not the most probable class"),
    "a row less": (BINARY, lambda d: d["predictions"].pop(), "answers of shape (1, 2) came for golden rows"),
    "no rows": (BINARY, lambda d: d.pop("predictions"), "KeyError: 'predictions'"),
    "another version": (BINARY, lambda d: d.update(model_version=4), "says it is version 4, not 3"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_release_that_answers_otherwise_is_not_servable(tmp_path: Path, name: str) -> None:
    recipe, spoil, message = SPOILT[name]

    parity = judged(tmp_path, recipe, spoil)["golden_parity"]

    assert parity.verdict == "fail"
    assert message in parity.message


def test_a_class_is_compared_by_its_name_and_not_by_its_place(tmp_path: Path) -> None:
    def turn(document: dict[str, Any]) -> None:
        said(document)["probabilities"] = dict(reversed(said(document)["probabilities"].items()))

    assert judged(tmp_path, MULTICLASS, turn)["golden_parity"].verdict == "pass"


def lenient(**limits: Any) -> Recipe:
    return replace(BINARY.with_limits(**limits), nullable=(*bundles.DOUBLES, "place"))


@pytest.mark.parametrize(
    ("recipe", "kinds"),
    [
        (Recipe(), 26),
        (Recipe().with_limits(unknown_fields="ignore"), 25),
        (lenient(missing="impute"), 25),
        (lenient(missing="reject", unknown_fields="ignore"), 25),
        (lenient(missing="impute", unknown_fields="ignore"), 24),
    ],
    ids=["strict", "ignores fields", "needs none", "ignores fields and needs all", "ignores fields and needs none"],
)
def test_a_release_must_refuse_what_its_contract_refuses_and_no_more(
    tmp_path: Path, recipe: Recipe, kinds: int
) -> None:
    check = judged(tmp_path, recipe)["bad_input"]

    assert (check.verdict, check.message) == ("pass", f"{kinds} kinds of bad requests are refused")


def test_a_release_that_takes_what_it_should_refuse_is_not_servable(tmp_path: Path) -> None:
    strict = bundles.write(tmp_path / "strict", Recipe())
    tolerant = bundles.write(tmp_path / "tolerant", Recipe().with_limits(unknown_fields="ignore"))
    promised = adapters.read(strict)

    with endpoint(tolerant, Recipe()) as running:
        started = Started(running.url, ready_seconds=1.0, how="in this process")
        evidence = servability.judge(
            POLICY, SUBJECT, started, promised.contract, promised.golden, image="sluice/housing:v3", stop=running.stop
        )

    [failed] = [check for check in evidence.checks if check.verdict != "pass"]
    assert failed.code == "bad_input"
    assert "a request with an unknown field is answered by 200" in failed.message


def test_a_release_that_drops_what_it_was_asked_is_not_servable(tmp_path: Path) -> None:
    stops = judged(tmp_path, Recipe(), stop=Endpoint.drop)["stops"]

    assert stops.verdict == "fail"
    assert "a request that it had begun to read when it was told to stop is answered by" in stops.message


@pytest.mark.parametrize(
    ("stopped", "verdict", "message"),
    [
        (Stopped(0.2, 0), "pass", "seconds until it has ended is 0.2, at most 10 is allowed"),
        (Stopped(0.2, 143), "pass", "seconds until it has ended is 0.2, at most 10 is allowed"),
        (Stopped(10.2, 0), "fail", "seconds until it has ended is 10.2, at most 10 is allowed"),
        (Stopped(0.2, 1), "fail", "it ends with exit code 1"),
        (Stopped(None, 137), "fail", "it had to be killed after 10 s"),
    ],
    ids=["clean", "by the signal", "late", "with an error", "never"],
)
def test_a_release_must_end_cleanly_and_in_time(tmp_path: Path, stopped: Stopped, verdict: str, message: str) -> None:
    stops = judged(tmp_path, Recipe(), stop=lambda _, __: stopped)["stops"]

    assert (stops.verdict, stops.message) == (verdict, message)


@pytest.mark.parametrize(
    ("seen", "failed"),
    [
        (Isolation(user_id=1034, read_only=True, image_mb=425), []),
        (Isolation(user_id=0, read_only=True, image_mb=425), ["non_root"]),
        (Isolation(user_id=1034, read_only=False, image_mb=425), ["read_only"]),
        (Isolation(user_id=1034, read_only=True, image_mb=601), ["image_size"]),
    ],
    ids=["shut", "root", "writable", "large"],
)
def test_a_container_is_judged_by_what_was_seen_inside(tmp_path: Path, seen: Isolation, failed: list[str]) -> None:
    checks = judged(tmp_path, Recipe(), isolation=seen)

    assert {"non_root", "read_only", "image_size"} <= checks.keys()
    assert [code for code, check in checks.items() if check.verdict != "pass"] == failed


@pytest.mark.parametrize(("demand", "verdict"), [("required", "unknown"), ("where_possible", "pass")])
def test_without_an_engine_the_policy_decides(
    tmp_path: Path, demand: Literal["required", "where_possible"], verdict: str
) -> None:
    check = judged(tmp_path, Recipe(), image=None, policy=POLICY.model_copy(update={"image": demand}))["image"]

    assert check.verdict == verdict
    assert "no image was built: the engine is none" in check.message
