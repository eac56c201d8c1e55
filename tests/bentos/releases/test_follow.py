"""The follower by itself: which source decides at the start, and when sources are asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from local.ports import free_port
from tabular.releases.follow import Follower
from tabular.releases.sources import Image, Name, ObjectStore, Pointer, Registry
from tabular.runtime import runtime_sha256
from tabular.settings import PACKAGE
from tests.bentos import bundles
from tests.bentos.bundles import USE_CASE, Recipe
from tests.bentos.servers import eventually

POLL, LOOKS, FOLLOWERS = 0.1, 40, 4
AWAY = "unreachable: the registry does not answer (ConnectError) [registry]"


class Empty:
    """A source that has nothing, and remembers when it was asked."""

    name: Name = "registry"

    def __init__(self) -> None:
        self.asked: list[float] = []

    def champion(self) -> Pointer | None:
        self.asked.append(time.monotonic())
        return None

    def challenger(self) -> Pointer | None:
        return None

    def fetch(self, version: int, folder: Path) -> Path:
        raise AssertionError("there is nothing to fetch")


def stored(root: Path) -> None:
    """A copy of version 2 in an object store."""
    releases = root / "releases" / USE_CASE
    bundles.write(releases / "2", Recipe(base=20))
    (releases / "champion.json").write_text('{"version": 2, "bento": "rents:2", "bundle_sha256": "x"}')


def spoilt(root: Path) -> None:
    stored(root)
    (root / "releases" / USE_CASE / "2" / "golden.json").write_bytes(b"{}")


@pytest.mark.parametrize(
    ("store", "serves", "reason"),
    [
        (stored, ("object_store", 2), AWAY),
        (lambda root: None, ("baked", 1), f"{AWAY}; no_champion: there is no champion [object_store]"),
        (spoilt, ("baked", 1), f"{AWAY}; refused: version 2: golden.json is not the file that manifest.json names"),
    ],
    ids=["whole", "empty", "spoilt"],
)
def test_without_a_registry_the_store_decides_and_without_that_the_image(
    tmp_path: Path, store: Callable[[Path], None], serves: tuple[Name, int], reason: str
) -> None:
    store(tmp_path / "store")
    baked = bundles.write(tmp_path / "baked", Recipe(base=10))
    (baked / "release.json").write_text('{"version": 1, "bento": "rents:1", "bundle_sha256": "x"}')
    with httpx.Client(base_url=f"http://127.0.0.1:{free_port()}") as client:
        sources = Registry(client, USE_CASE), ObjectStore((tmp_path / "store").as_uri(), USE_CASE), Image(baked)
        follower = Follower(sources, USE_CASE, runtime_sha256(PACKAGE), POLL)
        follower.look()
        standing = follower.standing
        assert standing.release
        assert (standing.source, standing.release.version) == serves
        assert standing.reason.startswith(reason)
        # From now on the registry alone could change what serves: copies may lag behind.
        stored(tmp_path / "store")
        follower.look()
        assert follower.standing.release is standing.release
        assert follower.standing.reason == AWAY


def test_what_a_store_says_of_itself_is_for_the_log_alone_and_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "inner-bucket"
    secret.write_text("no folder")
    follower = Follower([ObjectStore(secret.as_uri(), USE_CASE)], USE_CASE, runtime_sha256(PACKAGE), POLL)
    for _ in range(3):
        follower.look()

    told = "unreachable: the object store does not answer (NotADirectoryError) [object_store]"
    assert follower.standing.reason == told
    assert caplog.text.count("inner-bucket") == 1


def test_a_fault_nobody_thought_of_is_named_and_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Empty):
        def champion(self) -> Pointer | None:
            raise KeyError("https://user:secret@inner.example")

    follower = Follower([Odd()], USE_CASE, "r" * 64, POLL)
    follower.start()
    eventually(lambda: follower.standing.reason == "error: KeyError")
    follower.stop()
    assert "inner.example" in caplog.text


def test_processes_that_start_together_ask_at_different_times() -> None:
    sources = [Empty() for _ in range(FOLLOWERS)]
    followers = [Follower([source], USE_CASE, "r" * 64, POLL) for source in sources]
    for follower in followers:
        follower.start()
    eventually(lambda: min(len(source.asked) for source in sources) >= LOOKS)
    for follower in followers:
        follower.stop()
    first, *others = ([at - source.asked[0] for at in source.asked[:LOOKS]] for source in sources)
    gaps = [after - before for before, after in pairwise(first)]
    # A machine that is busy makes a wait longer, never shorter.
    assert 0.8 * POLL <= min(gaps) < 0.9 * POLL
    apart = [abs(mine - theirs) > POLL / 10 for other in others for mine, theirs in zip(first, other, strict=True)]
    assert sum(apart) > len(apart) / 2
