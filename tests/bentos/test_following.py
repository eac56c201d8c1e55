"""A running service follows the registry's champion: it swaps without a lost request, and only to what it may."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, Recipe, predict
from tests.bentos.servers import Mlflow, Relay, Service, eventually, free_port

ELSEWHERE = "f" * 64


@dataclass
class Scene:
    """A service, the registry it follows, and what was published there."""

    service: Service
    registry: Mlflow
    way: Relay
    scratch: Path
    bases: dict[int, float] = field(default_factory=dict)

    def publish(self, recipe: Recipe, spoil: str | None = None) -> int:
        """Publish a bundle; one of its files may be altered after its digest was taken."""
        folder = bundles.write(self.scratch / f"bundle-{len(self.bases)}", recipe)
        if spoil:
            (folder / spoil).write_bytes((folder / spoil).read_bytes() + b" ")
        version = self.registry.publish(folder)
        self.bases[version] = recipe.base
        return version

    def promote(self, version: int) -> None:
        """Make a version the champion and wait until it serves."""
        self.registry.promote(version)
        eventually(lambda: self.service.card()["version"] == version)

    def serves(self, version: int) -> bool:
        """Whether a version answers, with its own predictions."""
        answer = self.service.predict(EXAMPLE).json()
        expected = predict(EXAMPLE, self.bases[version])
        return (answer["model_version"], answer["predictions"][0]["prediction"]) == (version, expected)


@pytest.fixture(scope="module")
def scene(
    serve: Callable[..., Service],
    registry: Mlflow,
    warehouse: Warehouse,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    """A service that follows the registry, with one good champion."""
    way = Relay("127.0.0.1", httpx.URL(registry.url).port or 0)
    way.mend()
    service = serve(MLFLOW_TRACKING_URI=f"http://127.0.0.1:{way.port}", SLUICE_WAREHOUSE_DSN=warehouse.dsn)
    found = Scene(service, registry, way, tmp_path_factory.mktemp("bundles"))
    registry.promote(found.publish(Recipe(base=50)))
    service.wait()
    yield found
    way.cut()


def test_promotions_under_load_are_live_in_seconds_and_lose_no_request(scene: Scene) -> None:
    first, second = scene.publish(Recipe(base=60)), scene.publish(Recipe(base=70))
    scene.promote(first)
    stop = threading.Event()
    failures: list[str] = []
    answered = [0] * 4

    def load(worker: int) -> None:
        with httpx.Client(base_url=scene.service.url, timeout=30) as client:
            while not stop.is_set():
                answer = client.post("/api/v1/predict", json={"instances": [EXAMPLE] * (1 + 40 * (worker == 0))})
                if answer.status_code != 200:
                    failures.append(answer.text)
                    continue
                document = answer.json()
                expected = predict(EXAMPLE, scene.bases[document["model_version"]])
                if {row["prediction"] for row in document["predictions"]} != {expected}:
                    failures.append(answer.text)
                answered[worker] += 1

    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    try:
        for version in (second, first, second):
            moved = time.monotonic()
            scene.registry.promote(version)
            eventually(lambda version=version: scene.serves(version), within=10)  # type: ignore[misc]
            assert time.monotonic() - moved < 5
            time.sleep(0.3)
            assert scene.serves(version)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert min(answered) > 10


def test_the_heartbeat_shows_a_new_version_at_once(scene: Scene, warehouse: Warehouse) -> None:
    version = scene.publish(Recipe(base=75))
    scene.promote(version)
    query = "SELECT version, source, reason, pid FROM serving.replicas WHERE version = %(version)s"
    (row,) = eventually(lambda: warehouse.rows(query, {"version": version}), within=2)
    assert row == {"version": version, "source": "registry", "reason": "ok", "pid": scene.service.worker.pid}


@pytest.mark.parametrize(
    ("recipe", "spoil", "reason"),
    [
        (Recipe(base=80), "model.onnx", "refused: version {0}: model.onnx is not the file that manifest.json names"),
        (Recipe(base=80, claims=1.0), None, "refused: version {0}: parity: 1 of 2 golden rows come out wrong"),
        (Recipe(base=80, runtime_sha256=ELSEWHERE), None, "needs_new_image: version {0}: needs runtime ffffffffffff"),
    ],
    ids=["altered file", "parity broken", "other runtime"],
)
def test_a_release_that_may_not_serve_is_refused_and_the_old_one_goes_on(
    scene: Scene, warehouse: Warehouse, recipe: Recipe, spoil: str | None, reason: str
) -> None:
    good = scene.publish(Recipe(base=85))
    scene.promote(good)
    bad = scene.publish(recipe, spoil)
    before = loads(scene)
    scene.registry.promote(bad)
    eventually(lambda: scene.service.card()["reason"].startswith(reason.format(bad)))
    time.sleep(1)
    assert scene.serves(good)
    # Refused once, not at every look.
    assert loads(scene) == before + 1
    told = eventually(lambda: warehouse.rows("SELECT version, reason FROM serving.replicas WHERE reason <> 'ok'"))
    assert told[0]["version"] == good
    scene.promote(good)
    eventually(lambda: scene.service.card()["reason"] == "ok")


def loads(scene: Scene) -> float:
    """How many releases were tried."""
    lines = httpx.get(f"{scene.service.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("release_loads_total"))


def test_what_serves_goes_on_when_the_registry_is_away_or_names_no_champion(scene: Scene) -> None:
    version = scene.publish(Recipe(base=90))
    scene.promote(version)
    scene.way.cut()
    eventually(lambda: scene.service.card()["reason"].startswith("unreachable"))
    assert scene.serves(version)
    scene.way.mend()
    eventually(lambda: scene.service.card()["reason"] == "ok")
    scene.registry.demote()
    eventually(lambda: scene.service.card()["reason"].startswith("no_champion"))
    assert scene.serves(version)
    scene.promote(version)
    eventually(lambda: scene.service.card()["reason"] == "ok")


@pytest.fixture(scope="module")
def stranded(
    scene: Scene, serve: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Service, Service]:
    """A service that ended because the champion needs other code, and the same one started anew.

    Its object store holds a version for its own code; its database is away.
    """
    folder = tmp_path_factory.mktemp("stranded")
    releases = folder / "store" / "releases" / bundles.USE_CASE
    bundles.write(releases / "1", Recipe(base=95))
    (releases / "champion.json").write_text('{"version": 1, "bento": "rents:1", "bundle_sha256": "x"}')
    scene.registry.promote(scene.publish(Recipe(runtime_sha256=ELSEWHERE)))
    settings = {
        "MLFLOW_TRACKING_URI": scene.registry.url,
        "SLUICE_OBJECT_STORE": (folder / "store").as_uri(),
        "SLUICE_ON_NEW_RUNTIME": "exit",
        "SLUICE_WAREHOUSE_DSN": f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere",
    }
    first = serve(folder / "home", **settings)
    assert first.process
    first.process.wait(90)
    return first, serve(folder / "home", **settings).wait()


def test_a_service_that_needs_a_new_image_ends_once_and_then_serves_what_it_can(
    stranded: tuple[Service, Service],
) -> None:
    first, again = stranded
    assert first.process
    assert first.process.returncode == 0
    assert first.log.count("ends to be started with it") == 1
    card = again.card()
    assert (card["version"], card["source"]) == (1, "object_store")
    assert card["reason"].startswith("needs_new_image")
    assert again.predict(EXAMPLE).json()["predictions"][0]["prediction"] == predict(EXAMPLE, 95)


def test_the_end_comes_in_time_even_when_the_database_is_away(stranded: tuple[Service, Service]) -> None:
    _, again = stranded
    assert again.predict(EXAMPLE).status_code == 200
    started = time.monotonic()
    assert again.stop() == 0
    assert time.monotonic() - started < 15
    assert "predictions could not be logged before the end" in again.log
