"""The copies of releases, on a disk and in a bucket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import s3fs

from local.ports import free_port
from sluice.adapters.objects import ObjectStore as Writer
from tabular.errors import BundleError, UnreachableError
from tabular.releases.bundle import MANIFEST, load
from tabular.releases.sources import ObjectStore
from tabular.runtime import runtime_sha256
from tabular.settings import PACKAGE
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.servers import Service
from tests.buckets import S3


@pytest.fixture(params=["file", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that has version 3."""
    url: str = (tmp_path / "store").as_uri() if request.param == "file" else request.getfixturevalue("bucket")
    fill(url, tmp_path)
    return url


def fill(url: str, scratch: Path) -> None:
    """As a promotion does."""
    store = Writer(url)
    store.put_folder(bundles.write(scratch / "bundle", Recipe(base=30)), f"releases/{USE_CASE}/3", last=MANIFEST)
    store.write_bytes(f"releases/{USE_CASE}/champion.json", b'{"version": 3}')


def test_the_champion_and_its_bundle_are_found(root: str, tmp_path: Path) -> None:
    source = ObjectStore(root, USE_CASE)
    (tmp_path / "fetched").mkdir()

    champion = source.champion()

    assert champion
    assert champion.version == 3
    assert load(source.fetch(3, tmp_path / "fetched"), USE_CASE, runtime_sha256(PACKAGE))


def test_a_champion_that_another_machine_names_is_seen(root: str) -> None:
    source = ObjectStore(root, USE_CASE)
    assert source.champion()

    Writer(root).write_bytes(f"releases/{USE_CASE}/champion.json", b'{"version": 4}')

    now = source.champion()
    assert now
    assert now.version == 4


def test_a_copy_that_is_cut_short_is_none(root: str, tmp_path: Path) -> None:
    source = ObjectStore(root, USE_CASE)
    Writer(root).remove(f"releases/{USE_CASE}/3/{MANIFEST}")

    with pytest.raises(BundleError, match=f"3/{MANIFEST} is missing in the object store"):
        source.fetch(3, tmp_path)


def test_a_file_that_was_altered_is_refused(root: str, tmp_path: Path) -> None:
    key = f"releases/{USE_CASE}/3/golden.json"
    Writer(root).write_bytes(key, Writer(root).read_bytes(key) + b" ")
    (tmp_path / "fetched").mkdir()
    fetched = ObjectStore(root, USE_CASE).fetch(3, tmp_path / "fetched")

    with pytest.raises(BundleError, match=r"golden.json is not the file that manifest.json names"):
        load(fetched, USE_CASE, runtime_sha256(PACKAGE))


def test_a_store_without_releases_names_no_champion(bucket: str) -> None:
    assert ObjectStore(bucket, USE_CASE).champion() is None


def test_a_bucket_that_is_not_there_is_no_empty_one(bucket: str) -> None:
    with pytest.raises(UnreachableError, match="has no such bucket"):
        ObjectStore("s3://sluice-absent/store", USE_CASE).champion()


def test_a_store_that_is_away_does_not_hold_up_the_next_source(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    s3fs.S3FileSystem.clear_instance_cache()

    with pytest.raises(UnreachableError, match=r"does not answer \(EndpointConnectionError\)"):
        ObjectStore(bucket, USE_CASE).champion()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_service_serves_from_a_bucket(s3: S3, bucket: str, serve: Callable[..., Service], tmp_path: Path) -> None:
    fill(bucket, tmp_path)

    service = serve(SLUICE_OBJECT_STORE=bucket, **s3.environment).wait()

    card = service.card()
    assert (card["version"], card["source"]) == (3, "object_store")
    assert service.predict(EXAMPLE).json()["model_version"] == 3
