"""What may not serve is refused under load by every process: the old one goes on, and the next good one is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import Recipe
from tests.bentos.clients import asking
from tests.bentos.servers import Mlflow, Service, eventually

WORKERS, CLIENTS = 2, 3


@dataclass
class Scene:
    """A service of several processes, the registry it follows, and what may serve."""

    service: Service
    registry: Mlflow
    warehouse: Warehouse
    scratch: Path
    bases: dict[int, float] = field(default_factory=dict)
    written: int = 0

    def write(self, recipe: Recipe) -> Path:
        """A bundle in a folder of its own."""
        self.written += 1
        return bundles.write(self.scratch / str(self.written), recipe.with_limits(max_instances=100))

    def promote(self, base: float) -> int:
        """Let a good release serve, in every process."""
        version = self.registry.publish(self.write(Recipe(base=base)))
        self.bases[version] = base
        self.registry.promote(version)
        eventually(lambda: self.told() == [(version, "ok")] * WORKERS)
        return version

    def told(self) -> list[tuple[int, str]]:
        """What each process serves, and why."""
        rows = self.warehouse.rows("SELECT version, reason FROM serving.replicas ORDER BY pid")
        return [(row["version"], row["reason"]) for row in rows]

    def metric(self, series: str) -> float:
        """The value of one series, over all processes."""
        lines = httpx.get(f"{self.service.url}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(series))


@pytest.fixture(scope="module")
def scene(
    serve: Callable[..., Service], registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    service = serve(MLFLOW_TRACKING_URI=registry.url, SLUICE_WAREHOUSE_DSN=warehouse.dsn, SLUICE_WORKERS=str(WORKERS))
    found = Scene(service, registry, warehouse, tmp_path_factory.mktemp("bundles"))
    found.promote(50)
    yield found
    registry.demote()


def altered(scene: Scene) -> int:
    folder = scene.write(Recipe(base=80))
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b" ")
    return scene.registry.publish(folder)


def replaced(scene: Scene) -> int:
    return scene.registry.publish(scene.write(Recipe(base=80)), named="0" * 64)


def edited(name: str, change: Callable[[bytes], bytes]) -> Callable[[Scene], int]:
    def make(scene: Scene) -> int:
        folder = scene.write(Recipe(base=80))
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        bundles.seal(folder)
        return scene.registry.publish(folder)

    return make


def cooked(**recipe: Any) -> Callable[[Scene], int]:
    return lambda scene: scene.registry.publish(scene.write(Recipe(base=80, **recipe)))


BAD: dict[str, tuple[Callable[[Scene], int], str, str]] = {
    "file altered": (altered, "refused", "model.onnx is not the file that manifest.json names"),
    "bundle replaced": (replaced, "refused", "the registry names another bundle"),
    "graph corrupt": (edited("model.onnx", lambda text: text[:200]), "refused", "model.onnx cannot be loaded"),
    "another input promised": (
        edited("contract.json", lambda text: text.replace(b'"boolean"', b'"category"', 1)),
        "refused",
        "the graph's inputs are not the contract's: furnished",
    ),
    "parity broken": (cooked(claims=1.0), "refused", "parity: 1 of 2 golden rows come out wrong"),
    "other runtime": (cooked(runtime_sha256="f" * 64), "needs_new_image", "needs runtime ffffffffffff"),
}


@pytest.mark.parametrize(("make", "code", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_release_is_refused_by_all_under_load_and_all_take_the_next(
    scene: Scene, make: Callable[[Scene], int], code: str, why: str
) -> None:
    good = scene.promote(60)
    tried = f'release_loads_total{{outcome="{code}",'
    before = scene.metric(tried)
    with asking(scene.service, [""] * CLIENTS, scene.bases, pause=0.02) as load:
        bad = make(scene)
        scene.registry.promote(bad)
        reason = f"{code}: version {bad}: {why}"
        told = eventually(lambda: (told := scene.told())[0][1].startswith(code) and told[0] == told[1] and told)
        assert [version for version, _ in told] == [good] * WORKERS
        assert told[0][1].startswith(reason)
        assert scene.service.card()["reason"].startswith(reason)
        assert scene.metric(tried) == before + WORKERS
        eventually(lambda: scene.metric(f'release_reason{{code="{code}",role="champion"') == 1)
        scene.promote(70)
    assert load.failed == []
    assert load.requests > 0
