"""A release to start, once per session, and the engine that runs its image where there is one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from sluice.adapters.bundles import Bundle
from sluice.domain.evidence import Evidence, Subject
from sluice.domain.policy import Servable
from sluice.domain.release import Release
from sluice.gate import servability
from sluice.release import bento, image
from sluice.release.probe import Probe
from tests.conftest import container_engine
from tests.unit.conftest import SERVICE, MakeBundle

POLICY = Servable(ready_seconds=90, p99_ms=1000)

#: Prints a line of what was measured, also where the test passes.
Say = Callable[[str], None]
Judge = Callable[..., Evidence]
#: Builds an image out of the release's by further instructions.
Derive = Callable[[str], Release]


@dataclass(frozen=True)
class Client:
    """The engine's own client."""

    engine: Literal["docker", "podman"]

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """Run a command of it, and return what it says."""
        done = subprocess.run([self.engine, *arguments], input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def inspect(self, image: str) -> dict[str, Any]:
        """What it knows of an image."""
        found: dict[str, Any] = json.loads(self("image", "inspect", image))[0]
        return found

    def containers(self) -> list[str]:
        """The containers that probes run in."""
        return self("ps", "--all", "--quiet", "--no-trunc", "--filter", "label=sluice.probe").split()


@pytest.fixture(scope="session")
def bundle(make_bundle: MakeBundle) -> Bundle:
    """Of a model that answers twice x."""
    return make_bundle(2.0)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bento store."""
    return tmp_path_factory.mktemp("bentos")


@pytest.fixture(scope="session")
def release(bundle: Bundle, home: Path) -> Release:
    """Version 3, of which there is a bento."""
    return bento.build(SERVICE, bundle, 3, home)


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    engine = container_engine()
    assert engine, "tests of the engine are marked `container`"
    client = Client(engine)
    yield client
    if built := set(client("images", "--quiet", "--filter", "label=org.opencontainers.image.title=line").split()):
        client("rmi", "--force", *built)


@pytest.fixture(scope="session")
def imaged(release: Release, home: Path, client: Client) -> Release:
    """Version 3, of which there is an image too."""
    return image.build(client.engine, release, home)


@pytest.fixture
def derive(imaged: Release, client: Client) -> Derive:
    def build(instructions: str) -> Release:
        name = f"{imaged.image}-derived"
        client("build", "--quiet", "--tag", name, "-", given=f"FROM {imaged.image}\n{instructions}\n")
        return replace(imaged, image=name)

    return build


@pytest.fixture
def judge(bundle: Bundle) -> Judge:
    """What the gate says of a probe of version 3."""

    def judged(probe: Probe, promised: Bundle = bundle, version: int = 3, **limits: Any) -> Evidence:
        subject = Subject(
            use_case="line",
            version=version,
            bundle_sha256=bundle.sha256,
            champion_version=None,
            champion_bundle_sha256=None,
        )
        policy = POLICY.model_copy(update=limits)
        contract, golden = promised.contract, promised.golden
        return servability.judge(policy, subject, probe.started, contract, golden, image=None, stop=probe.stop)

    return judged


def verdicts(evidence: Evidence) -> dict[str, str]:
    """The verdict of each check, by code."""
    return {check.code: check.verdict for check in evidence.checks}
