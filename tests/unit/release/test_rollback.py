"""The way back leads only to a release that may serve and is still whole, and an error names the ways that are open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.release import Release
from sluice.release import depot
from sluice.release.rollback import Vault
from tests.bentos.bundles import USE_CASE, Recipe
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow


@pytest.fixture(scope="module")
def platform(registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("rollback")
    return Platform(warehouse, Tracking(registry.url), ObjectStore((folder / "store").as_uri()), folder)


@pytest.fixture(scope="module")
def releases(platform: Platform) -> tuple[Release, ...]:
    """Four releases: the first three were promoted one after another, the fourth never."""
    platform.tracking.client.create_registered_model("elsewhere")
    made = tuple(platform.publish(*platform.register(Recipe(base=base))) for base in (10, 20, 30, 40))
    platform.tracking.unpoint(USE_CASE, "champion")
    for release in made[:3]:
        platform.deploy(release)
    return made


@pytest.fixture
def vault(platform: Platform, releases: tuple[Release, ...]) -> Iterator[Vault]:
    """Where the releases are; the third serves, whatever a test did."""
    vault = Vault(platform.warehouse, platform.tracking, platform.store, platform.scratch)
    for release in releases:
        bento(vault, release).mkdir(parents=True, exist_ok=True)
    yield vault
    platform.deploy(releases[2], "rollback")


def bento(vault: Vault, release: Release) -> Path:
    """The folder of a release's bento."""
    return vault.bentos.joinpath("bentos", *release.bento.split(":"))


def test_without_a_version_it_leads_to_what_served_before(vault: Vault, releases: tuple[Release, ...]) -> None:
    choice = vault.choose(USE_CASE, None)

    assert choice.release.version == releases[1].version
    assert choice.from_version == releases[2].version
    assert choice.release.bundle_sha256 == releases[1].bundle_sha256
    assert choice.release.bento_path == str(bento(vault, releases[1]))
    assert not choice.serves_already


def test_going_back_twice_leads_on_and_not_to_what_was_left(
    vault: Vault, platform: Platform, releases: tuple[Release, ...]
) -> None:
    platform.deploy(releases[1], "rollback")

    assert vault.choose(USE_CASE, None).release.version == releases[0].version


def test_before_the_first_there_is_nothing(vault: Vault, platform: Platform, releases: tuple[Release, ...]) -> None:
    first, second, third, _ = (release.version for release in releases)
    platform.deploy(releases[0], "rollback")

    with pytest.raises(StateError, match=f"nothing served rents before version {first}.*one of: {third}, {second}$"):
        vault.choose(USE_CASE, None)


def test_what_serves_already_is_said(vault: Vault, releases: tuple[Release, ...]) -> None:
    assert vault.choose(USE_CASE, releases[2].version).serves_already


def test_an_alias_that_the_ledger_does_not_know_of_is_something_to_mend(
    vault: Vault, platform: Platform, releases: tuple[Release, ...]
) -> None:
    platform.tracking.point(USE_CASE, "champion", releases[0].version)

    assert not vault.choose(USE_CASE, releases[0].version).serves_already


def test_a_lost_alias_can_be_set_again(vault: Vault, platform: Platform, releases: tuple[Release, ...]) -> None:
    platform.tracking.unpoint(USE_CASE, "champion")

    choice = vault.choose(USE_CASE, releases[2].version)

    assert (choice.from_version, choice.serves_already) == (None, False)


@pytest.mark.parametrize("to", [None, 1], ids=["without a version", "with one"])
def test_where_nothing_ever_served_there_is_no_way_back(vault: Vault, to: int | None) -> None:
    with pytest.raises(StateError, match=r"nothing serves elsewhere|was never released.*no version to go back to"):
        vault.choose("elsewhere", to)


def test_an_unknown_version_is_refused_with_those_that_are_open(vault: Vault, releases: tuple[Release, ...]) -> None:
    first, second, *_ = (release.version for release in releases)

    with pytest.raises(StateError, match=f"version 999: it was never released .* go back to one of: {second}, {first}"):
        vault.choose(USE_CASE, 999)


def test_what_was_never_decided_to_serve_is_refused(vault: Vault, releases: tuple[Release, ...]) -> None:
    with pytest.raises(StateError, match="never deployed, nor decided to be"):
        vault.choose(USE_CASE, releases[3].version)


def test_what_was_removed_is_refused_and_not_offered(
    vault: Vault, platform: Platform, releases: tuple[Release, ...]
) -> None:
    first, second, *_ = releases
    platform.warehouse.execute(
        "UPDATE ml.releases SET removed_at = now() WHERE version = %(version)s", {"version": second.version}
    )

    with pytest.raises(StateError, match=rf"it was removed on 20\d\d-.* one of: {first.version}$"):
        vault.choose(USE_CASE, None)
    platform.warehouse.execute("UPDATE ml.releases SET removed_at = NULL")


def test_a_bento_that_only_another_machine_has_is_not_gone(
    vault: Vault, platform: Platform, releases: tuple[Release, ...]
) -> None:
    bento(vault, releases[0]).rmdir()
    platform.store.write_bytes(depot.key(releases[0].bento), b"a bento")

    assert vault.choose(USE_CASE, releases[0].version).release == replace(
        releases[0], bento_path=str(bento(vault, releases[0]))
    )
    platform.store.remove(depot.key(releases[0].bento))


def test_a_bento_that_is_gone_is_said(vault: Vault, releases: tuple[Release, ...]) -> None:
    bento(vault, releases[0]).rmdir()

    with pytest.raises(StateError, match=f"its bento {releases[0].bento} is gone"):
        vault.choose(USE_CASE, releases[0].version)


def test_a_copy_that_was_altered_is_refused(vault: Vault, platform: Platform, releases: tuple[Release, ...]) -> None:
    key = f"releases/{USE_CASE}/{releases[0].version}/model.onnx"
    whole = platform.store.read_bytes(key)
    platform.store.write_bytes(key, whole + b" ")

    with pytest.raises(StateError, match=rf"was altered \[.*store/releases/rents/{releases[0].version}\]"):
        vault.choose(USE_CASE, releases[0].version)
    platform.store.write_bytes(key, whole)


def test_a_copy_that_is_gone_is_said(vault: Vault, platform: Platform, releases: tuple[Release, ...]) -> None:
    key = f"releases/{USE_CASE}/{releases[0].version}/model.onnx"
    whole = platform.store.read_bytes(key)
    platform.store.remove(key)

    with pytest.raises(StateError, match="missing from the object store"):
        vault.choose(USE_CASE, releases[0].version)
    platform.store.write_bytes(key, whole)


def test_a_registry_that_holds_another_bundle_is_refused(
    vault: Vault, platform: Platform, releases: tuple[Release, ...], tmp_path: Path
) -> None:
    first, second, *_ = releases
    run = platform.tracking.version(USE_CASE, first.version).run_id
    other = platform.tracking.download_bundle(platform.tracking.version(USE_CASE, second.version), tmp_path)
    platform.tracking.client.log_artifacts(run, str(other), "bundle")

    with pytest.raises(StateError, match=rf"its bundle is {second.bundle_sha256[:12]} and was released as"):
        vault.choose(USE_CASE, first.version)
