"""Files under keys: whole or not at all, and never outside the store."""

from pathlib import Path

import pytest

from sluice.adapters.objects import ObjectStore
from sluice.domain.errors import StateError


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(f"file://{tmp_path / 'a store'}")


def test_what_was_written_is_read(store: ObjectStore) -> None:
    url = store.write_bytes("snapshots/a/1.parquet", b"rows")

    assert url == f"{store.root}/snapshots/a/1.parquet"
    assert store.exists("snapshots/a/1.parquet")
    assert store.read_bytes("snapshots/a/1.parquet") == b"rows"


def test_writing_again_replaces_and_leaves_no_partial_file(store: ObjectStore, tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        store.write_bytes("a/b", content)

    assert store.read_bytes("a/b") == b"second"
    assert [p.name for p in (tmp_path / "a store" / "a").iterdir()] == ["b"]


def test_a_missing_file_says_which(store: ObjectStore) -> None:
    with pytest.raises(StateError, match="a/b"):
        store.read_bytes("a/b")


def test_a_folder_is_copied_file_by_file(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "bundle" / "deep").mkdir(parents=True)
    (tmp_path / "bundle" / "a.json").write_text("a")
    (tmp_path / "bundle" / "deep" / "b.json").write_text("b")

    store.put_folder(tmp_path / "bundle", "releases/line/1")

    assert store.read_bytes("releases/line/1/a.json") == b"a"
    assert store.read_bytes("releases/line/1/deep/b.json") == b"b"


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../outside", "a/../../outside"])
def test_a_key_cannot_leave_the_store(store: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.write_bytes(key, b"")
