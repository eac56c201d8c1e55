"""A running service of two processes tries a challenger beside its champion, as the registry says."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe, predict
from tests.bentos.servers import Mlflow, Relay, Service, eventually

WORKERS = 2
ELSEWHERE = "f" * 64
RICH = EXAMPLE | {"income": 16.0}

REPLICAS = """
SELECT version, challenger_version, challenger_share, challenger_reason
FROM serving.replicas WHERE use_case = %(use_case)s
"""
ANSWERS = """
SELECT model_version, role, prediction, latency_ms FROM serving.predictions
WHERE request_id = %(request_id)s ORDER BY role
"""
FAILURES = "SELECT use_case, model_version, role, reason FROM serving.failures WHERE request_id = %(request_id)s"


@dataclass
class Scene:
    """A service, the registry it follows, and what was published there."""

    service: Service
    registry: Mlflow
    warehouse: Warehouse
    way: Relay
    scratch: Path
    champion: int = 0
    bases: dict[int, float] = field(default_factory=dict)

    def publish(self, recipe: Recipe) -> int:
        """Publish a bundle."""
        version = self.registry.publish(bundles.write(self.scratch / f"bundle-{len(self.bases)}", recipe))
        self.bases[version] = recipe.base
        return version

    def challenge(self, recipe: Recipe, share: str) -> int:
        """Publish a challenger, and wait until every process uses it."""
        version = self.publish(recipe)
        self.registry.challenge(version, share)
        eventually(lambda: self.shown() == {(self.champion, version, float(share), "ok")}, within=10)
        return version

    def shown(self) -> set[tuple[Any, ...]]:
        """What the processes say, all of them: champion, challenger, its share, why not."""
        rows = self.warehouse.rows(REPLICAS, {"use_case": USE_CASE})
        return {tuple(row.values()) for row in rows} if len(rows) == WORKERS else set()

    def answers(self, version: int, instance: dict[str, Any] = EXAMPLE, **headers: str) -> str:
        """Check that a version answers, with its own prediction, and return the request's id."""
        answer = self.service.predict(instance, **headers)
        document = answer.json()
        assert (answer.status_code, answer.headers["x-sluice-version"]) == (200, str(version)), document
        told = (document["model_version"], document["predictions"][0]["prediction"])
        assert told == (version, predict(instance, self.bases[version]))
        return str(document["request_id"])

    def logged(self, query: str, request_id: str, rows: int) -> list[dict[str, Any]]:
        """What the warehouse holds of a request, once there are as many rows."""

        def found() -> list[dict[str, Any]] | None:
            known = self.warehouse.rows(query, {"request_id": request_id})
            return known if len(known) == rows else None

        given: list[dict[str, Any]] = eventually(found, within=10)
        return given

    def counted(self, name: str, **labels: str) -> float:
        """A counter's value in the series of all processes."""
        wanted = {"use_case": USE_CASE, **labels}
        for line in httpx.get(f"{self.service.url}/metrics").text.splitlines():
            if line.startswith(f"{name}{{") and dict(re.findall(r'(\w+)="([^"]*)"', line)) == wanted:
                return float(line.split()[-1])
        return 0.0


@pytest.fixture(scope="module")
def service(
    serve: Callable[..., Service], registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A service with one good champion, and a way to its registry that can be cut."""
    way = Relay("127.0.0.1", httpx.URL(registry.url).port or 0)
    way.mend()
    started = serve(
        MLFLOW_TRACKING_URI=f"http://127.0.0.1:{way.port}",
        SLUICE_WAREHOUSE_DSN=warehouse.dsn,
        SLUICE_WORKERS=str(WORKERS),
        SLUICE_POLL_SECONDS="1",
    )
    made = Scene(started, registry, warehouse, way, tmp_path_factory.mktemp("bundles"))
    made.champion = made.publish(Recipe(base=50))
    registry.promote(made.champion)
    started.wait()
    yield made
    way.cut()


@pytest.fixture
def scene(service: Scene) -> Iterator[Scene]:
    """The service with its champion alone, before and after."""
    eventually(lambda: service.shown() == {(service.champion, None, None, None)})
    yield service
    service.registry.withdraw()


def test_each_side_answers_its_share_and_a_key_stays_on_its_side(scene: Scene) -> None:
    rival = scene.challenge(Recipe(base=60), "0.3")
    with httpx.Client(base_url=scene.service.url, timeout=30) as client:

        def side(**headers: str) -> int:
            answer = client.post("/api/v1/predict", json={"instances": [EXAMPLE]}, headers=headers)
            assert answer.status_code == 200
            return int(answer.json()["model_version"])

        versions = [side(**{"x-request-id": uuid4().hex}) for _ in range(400)]
        assert set(versions) == {scene.champion, rival}
        # More than four standard errors apart would be 37 of 400.
        assert versions.count(rival) == pytest.approx(120, abs=37)

        keys = [f"customer-{number}" for number in range(40)]
        low = {key for key in keys if side(**{"x-sluice-key": key}) == rival}
        assert low
        assert low < set(keys)
        # New connections, so that either process may answer.
        for key in keys:
            scene.answers(rival if key in low else scene.champion, **{"x-sluice-key": key})

        scene.registry.share(rival, "0.6")
        moved = time.monotonic()
        eventually(lambda: scene.shown() == {(scene.champion, rival, 0.6, "ok")}, within=3)
        assert time.monotonic() - moved < 3
        high = {key for key in keys if side(**{"x-sluice-key": key}) == rival}
        assert low < high < set(keys)

    # A whole batch is on the side of its key, and an odd key counts as none.
    key = min(high)
    batch = scene.service.predict(*[EXAMPLE] * 20, **{"x-sluice-key": key}).json()
    assert {row["prediction"] for row in batch["predictions"]} == {predict(EXAMPLE, 60)}
    assert scene.service.predict(EXAMPLE, **{"x-sluice-key": "two words"}).status_code == 200


def test_the_log_says_which_role_answered(scene: Scene) -> None:
    rival = scene.challenge(Recipe(base=60), "0.5")
    seen = set()
    for _ in range(20):
        document = scene.service.predict(EXAMPLE).json()
        (row,) = scene.logged(ANSWERS, document["request_id"], rows=1)
        assert row["model_version"] == document["model_version"]
        assert row["role"] == ("challenger" if row["model_version"] == rival else "champion")
        seen.add(row["role"])
    assert seen == {"champion", "challenger"}


@pytest.mark.parametrize("fault", [bundles.blind, bundles.broken], ids=["no number", "a graph that fails"])
def test_what_the_challenger_cannot_answer_the_champion_does_and_the_log_knows(
    scene: Scene, fault: Callable[[Recipe], Recipe]
) -> None:
    rival = scene.challenge(fault(Recipe(base=60)), "1")
    scene.answers(rival)
    request_id = scene.answers(scene.champion, RICH)
    (answered,) = scene.logged(ANSWERS, request_id, rows=1)
    (failed,) = scene.logged(FAILURES, request_id, rows=1)
    assert (answered["model_version"], answered["role"]) == (scene.champion, "champion")
    assert (failed["use_case"], failed["model_version"], failed["role"]) == (USE_CASE, rival, "challenger")
    assert failed["reason"].startswith(("no-prediction: ", "failed: "))
    assert scene.counted("pred_requests_total", version=str(rival), outcome="failed_over") == 1
    assert scene.counted("pred_requests_total", version=str(rival), outcome="ok") == 1


@pytest.mark.parametrize(
    ("recipe", "share", "reason"),
    [
        (Recipe(base=60, claims=1.0), "1", "refused: version {0}: parity: 1 of 2 golden rows come out wrong"),
        (Recipe(base=60, runtime_sha256=ELSEWHERE), "1", "needs_new_image: version {0}: needs runtime ffffffffffff"),
        (Recipe(base=60), "half", "no_share: version {0}: its tag `share` is 'half'"),
        (Recipe(base=60), "1.5", "no_share: version {0}: its tag `share` is '1.5'"),
        (Recipe(base=60), None, "no_share: version {0}: it has no tag `share`"),
    ],
    ids=["parity broken", "other runtime", "no number", "too much", "no share"],
)
def test_a_challenger_that_may_not_be_used_says_why_and_the_champion_answers_all(
    scene: Scene, recipe: Recipe, share: str | None, reason: str
) -> None:
    rival = scene.publish(recipe)
    scene.registry.challenge(rival, share)

    def told() -> bool:
        whys = {(version, beside, why) for version, beside, _, why in scene.shown()}
        return len(whys) == 1 and all(
            (version, beside) == (scene.champion, None) and (why or "").startswith(reason.format(rival))
            for version, beside, why in whys
        )

    eventually(told, within=10)
    card = scene.service.card()
    assert (card["version"], card["reason"], card["challenger"]["version"]) == (scene.champion, "ok", None)
    assert card["challenger"]["reason"].startswith(reason.format(rival))
    for _ in range(10):
        scene.answers(scene.champion)


def test_a_share_that_cannot_be_read_takes_the_challenger_out_until_it_can(scene: Scene) -> None:
    rival = scene.challenge(Recipe(base=60), "1")
    tried = scene.counted("release_loads_total", outcome="challenger")
    scene.registry.share(rival, "nan")
    eventually(lambda: {each[1] for each in scene.shown()} == {None}, within=5)
    scene.answers(scene.champion)
    scene.registry.share(rival, "1.0")
    eventually(lambda: scene.shown() == {(scene.champion, rival, 1.0, "ok")}, within=5)
    assert scene.counted("release_loads_total", outcome="challenger") == tried


def test_a_registry_that_is_away_changes_nothing(scene: Scene) -> None:
    rival = scene.challenge(Recipe(base=60), "1")
    scene.way.cut()
    eventually(lambda: scene.service.card()["reason"].startswith("unreachable"))
    time.sleep(2)
    scene.answers(rival)
    scene.way.mend()
    eventually(lambda: scene.service.card()["reason"] == "ok")
    scene.registry.withdraw()
    eventually(lambda: scene.shown() == {(scene.champion, None, None, None)}, within=5)
    scene.answers(scene.champion)


def test_a_slow_shadow_keeps_nobody_waiting_and_answers_nobody(scene: Scene) -> None:
    with httpx.Client(base_url=scene.service.url, timeout=30) as client:

        def pace() -> float:
            """Median milliseconds of an answer."""
            times = []
            for _ in range(100):
                begun = time.perf_counter()
                answer = client.post("/api/v1/predict", json={"instances": [EXAMPLE]})
                times.append((time.perf_counter() - begun) * 1000)
                assert answer.json()["model_version"] == scene.champion
            return statistics.median(times)

        alone = pace()
        rival = scene.challenge(bundles.slow(bundles.shifted(Recipe(base=50), by=10), toil=200), "0")
        request_id = scene.answers(scene.champion)
        champion, shadow = scene.logged(ANSWERS, request_id, rows=2)
        beside = pace()
    told = [(row["role"], row["model_version"], row["prediction"]) for row in (champion, shadow)]
    assert told == [("champion", scene.champion, predict(EXAMPLE, 50)), ("shadow", rival, predict(EXAMPLE, 60))]
    # The time that it took itself, though nobody waited for it.
    assert shadow["latency_ms"] > 50
    assert beside < alone + shadow["latency_ms"] / 5
    # It was busy, so that most were dropped.
    assert scene.counted("shadow_scorings_total", version=str(rival), outcome="dropped") > 50
    assert scene.counted("pred_requests_total", version=str(rival), outcome="ok") == 0


def test_what_the_shadow_cannot_answer_is_noted(scene: Scene) -> None:
    rival = scene.challenge(bundles.blind(Recipe(base=60)), "0.0")
    request_id = scene.answers(scene.champion, RICH)
    (failed,) = scene.logged(FAILURES, request_id, rows=1)
    assert (failed["model_version"], failed["role"]) == (rival, "shadow")
    refused = scene.service.predict(EXAMPLE | {"income": "much"}).json()["request_id"]
    time.sleep(1)
    assert scene.warehouse.rows(FAILURES, {"request_id": refused}) == []


def test_a_challenger_takes_over_as_it_is_loaded(scene: Scene) -> None:
    rival = scene.challenge(Recipe(base=60), "0.5")
    tried = scene.counted("release_loads_total", outcome="swapped")
    shown = eventually(lambda: scene.service.card())["challenger"]
    assert (shown["version"], shown["share"], shown["reason"]) == (rival, 0.5, "ok")
    scene.registry.promote(rival)
    scene.champion = rival
    eventually(lambda: scene.shown() == {(rival, None, None, None)}, within=5)
    for _ in range(10):
        scene.answers(rival)
    assert scene.counted("release_loads_total", outcome="taken_over") == WORKERS
    assert scene.counted("release_loads_total", outcome="swapped") == tried
