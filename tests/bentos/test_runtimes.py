"""A release that was tested with other serving code: the process is replaced by one that runs that code."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from local.state import State
from sluice.adapters.bundles import runtime_sha256
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.release import Release
from sluice.release import bento
from sluice.release.deployments import await_live
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe, predict
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = timedelta(seconds=90)


@dataclass
class Kept:
    """The local stack's model server, started again whenever it ends, as the stack's supervisor does."""

    log: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def __enter__(self) -> Kept:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self.process:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self.process.pid).children(recursive=True):
                    child.kill()
            self.process.kill()
        self._thread.join()

    def _keep(self) -> None:
        command = [sys.executable, "-m", "local.serve", USE_CASE, str(self.port)]
        while not self._over.wait(0.5):
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            self.process.wait()

    def answers(self) -> dict[str, Any]:
        """Its answer for the example."""
        url = f"http://127.0.0.1:{self.port}/api/v1/predict"
        answer = httpx.post(url, json={"instances": [EXAMPLE]}, timeout=30, trust_env=False)
        document: dict[str, Any] = answer.raise_for_status().json()
        return document


@dataclass(frozen=True)
class Scene:
    """A kept server, what it follows, and two releases that were tested with different serving code."""

    platform: Platform
    server: Kept
    old: Release
    new: Release

    def serves(self, release: Release) -> bool:
        """Whether a release answers, by its own code, once every process says that it is live."""
        live = await_live(self.platform.warehouse, release, PATIENCE)
        [row] = self.platform.warehouse.rows("SELECT pid, runtime_sha256, bundle_sha256 FROM serving.replicas")
        answer = self.server.answers()
        expected = predict(EXAMPLE, self.platform.bases[release.version])
        assert self.server.process
        return (
            live == 1
            and row["pid"] in {child.pid for child in psutil.Process(self.server.process.pid).children()}
            and (row["runtime_sha256"], row["bundle_sha256"]) == (release.runtime_sha256, release.bundle_sha256)
            and (answer["model_version"], answer["predictions"][0]["prediction"]) == (release.version, expected)
        )


@pytest.fixture(scope="module")
def scene(registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("runtimes")
    state = State(folder / "var")
    platform = Platform(warehouse, Tracking(registry.url), ObjectStore(state.store.as_uri()), folder)
    today, tomorrow = REPOSITORY / "bentos" / "tabular", folder / "tabular"
    shutil.copytree(today, tomorrow, ignore=shutil.ignore_patterns("__pycache__"))
    with (tomorrow / "service.py").open("a") as code:
        code.write("# The same, in other words.\n")
    releases = []
    for service, base in ((today, 50), (tomorrow, 60)):
        bundle, version = platform.register(Recipe(base=base, runtime_sha256=runtime_sha256(service)))
        bento.build(service, bundle, version, state.bentos)
        releases.append(platform.publish(bundle, version))
    old, new = releases
    platform.deploy(old)
    spared = {k: v for k, v in os.environ.items() if not k.startswith(("SLUICE_", "MLFLOW_", "PYTHONPATH", "BENTOML"))}
    own = {
        "PYTHONPATH": f"{REPOSITORY / 'include'}:{REPOSITORY / 'plugins'}",
        "BENTOML_HOME": str(state.serving(USE_CASE)),
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_TRACKING_URI": registry.url,
        "SLUICE_VAR": str(state.root),
        "SLUICE_ACCESS": "open",
        "SLUICE_USE_CASE": USE_CASE,
        "SLUICE_OBJECT_STORE": state.store.as_uri(),
        "SLUICE_WAREHOUSE_DSN": warehouse.dsn,
        "SLUICE_ON_NEW_RUNTIME": "exit",
    }
    with Kept(folder / "log", spared | own) as server:
        yield Scene(platform, server, old, new)


def test_promotion_and_rollback_replace_the_process_by_one_with_the_releases_code(scene: Scene) -> None:
    assert scene.old.runtime_sha256 != scene.new.runtime_sha256
    assert scene.serves(scene.old)

    scene.platform.deploy(scene.new)
    assert scene.serves(scene.new)

    scene.platform.deploy(scene.old, "rollback")
    assert scene.serves(scene.old)


def test_a_process_that_ends_before_the_copy_is_written_comes_up_with_the_right_code(scene: Scene) -> None:
    """The alias moves first; whoever moved it may be killed before the object store's copy follows."""
    assert scene.serves(scene.old)

    scene.platform.tracking.point(USE_CASE, "champion", scene.new.version)

    assert scene.serves(scene.new)
