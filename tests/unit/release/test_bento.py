"""A bento is built once per version, and holds the bundle."""

import shutil
from pathlib import Path

import pytest

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.domain.errors import ReleaseError
from sluice.domain.release import Release
from sluice.release import bento
from tests.unit.conftest import SERVICE, MakeBundle


@pytest.fixture(scope="module")
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(2.0)


@pytest.fixture(scope="module")
def release(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return bento.build(SERVICE, bundle, 3, tmp_path_factory.mktemp("bentos"))


def test_the_bento_holds_the_very_bundle(release: Release, bundle: Bundle) -> None:
    baked = bundles.read(Path(release.bento_path) / "src" / "bundle")

    assert baked.sha256 == bundle.sha256 == release.bundle_sha256
    assert bundles.runtime_sha256(Path(release.bento_path) / "src" / "tabular") == release.runtime_sha256


def test_building_again_finds_it_built(release: Release, bundle: Bundle) -> None:
    home = Path(release.bento_path).parents[2]
    before = (Path(release.bento_path) / "bento.yaml").stat().st_mtime_ns

    assert bento.build(SERVICE, bundle, 3, home) == release
    assert (Path(release.bento_path) / "bento.yaml").stat().st_mtime_ns == before


def test_only_a_whole_bento_is_left_in_the_store(release: Release) -> None:
    home = Path(release.bento_path).parents[2]

    assert [path.relative_to(home).as_posix() for path in home.glob("*/*/*")] == [
        f"bentos/{release.bento.replace(':', '/')}"
    ]


def test_what_cannot_be_built_says_so(make_bundle: MakeBundle, tmp_path: Path) -> None:
    broken = tmp_path / "service"
    shutil.copytree(SERVICE, broken)
    (broken / "service.py").write_text("raise RuntimeError('no service here')")

    with pytest.raises(ReleaseError, match="no service here"):
        bento.build(broken, make_bundle(2.0, service=broken), 1, tmp_path / "home")


def test_a_bundle_for_other_serving_code_is_not_built(bundle: Bundle, tmp_path: Path) -> None:
    other = tmp_path / "service"
    shutil.copytree(SERVICE, other)
    (other / "service.py").write_text("# another service")

    with pytest.raises(ReleaseError, match="other serving code"):
        bento.build(other, bundle, 1, tmp_path / "home")
