"""Files under keys, on a disk and in a bucket: whole or not at all, and never outside the store."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.adapters.objects import ObjectStore
from sluice.domain.errors import StateError
from tests.buckets import S3


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    root = f"file://{tmp_path / 'a store'}" if request.param == "file" else request.getfixturevalue("bucket")
    return ObjectStore(root)


def test_what_was_written_is_read(store: ObjectStore) -> None:
    url = store.write_bytes("snapshots/a/1.parquet", b"rows")

    assert url == f"{store.root}/snapshots/a/1.parquet"
    assert store.exists("snapshots/a/1.parquet")
    assert not store.exists("snapshots/a")
    assert store.read_bytes("snapshots/a/1.parquet") == b"rows"


def test_writing_again_replaces(store: ObjectStore) -> None:
    for content in (b"first", b"second"):
        store.write_bytes("a/b", content)

    assert store.read_bytes("a/b") == b"second"


def test_on_a_disk_no_partial_file_is_left(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        ObjectStore(tmp_path.as_uri()).write_bytes("a/b", content)

    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_what_another_machine_writes_and_removes_is_seen(store: ObjectStore) -> None:
    """Each machine opens the store for itself; here, two threads do."""
    other = ObjectStore(store.root)
    assert not store.exists("a/b")

    apart(lambda: other.write_bytes("a/b", b"x"))
    seen = store.exists("a/b")
    apart(lambda: other.remove("a"))

    assert (seen, store.exists("a/b")) == (True, False)


def test_a_file_that_is_replaced_meanwhile_is_read_whole(store: ObjectStore) -> None:
    contents = [bytes([number]) * 3_000_000 for number in range(6)]
    store.write_bytes("a", contents[0])
    writing = threading.Thread(target=lambda: [store.write_bytes("a", content) for content in contents])
    writing.start()

    seen = [store.read_bytes("a") for _ in range(6)]
    writing.join()

    assert set(seen) <= set(contents)


def test_a_missing_file_says_which(store: ObjectStore) -> None:
    with pytest.raises(StateError, match=r"missing from the object store \[.*a/b\]"):
        store.read_bytes("a/b")


def test_a_folder_is_copied_file_by_file(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "bundle" / "deep").mkdir(parents=True)
    (tmp_path / "bundle" / "a.json").write_text("a")
    (tmp_path / "bundle" / "deep" / "b.json").write_text("b")

    store.put_folder(tmp_path / "bundle", "releases/line/1")

    assert store.read_bytes("releases/line/1/a.json") == b"a"
    assert store.read_bytes("releases/line/1/deep/b.json") == b"b"


def test_the_file_that_readers_begin_with_is_written_last(s3: S3, bucket: str, tmp_path: Path) -> None:
    """A copy that is cut short, here by a file that cannot be read, has none."""
    (tmp_path / "a.json").write_text("a")
    (tmp_path / "z.json").symlink_to("/proc/self/mem")

    with pytest.raises(OSError, match="error"):
        ObjectStore(bucket).put_folder(tmp_path, "releases/line/1", last="a.json")

    assert s3.keys(bucket) == []


def test_what_is_below_a_prefix_is_removed_and_its_neighbours_stay(store: ObjectStore) -> None:
    for key in ("releases/1/x", "releases/1/deep/y", "releases/10/x"):
        store.write_bytes(key, b"")

    store.remove("releases/1")
    store.remove("releases/2")

    assert [store.exists(f"releases/{rest}") for rest in ("1/x", "1/deep/y", "10/x")] == [False, False, True]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../outside", "a/../../outside"])
def test_a_key_cannot_leave_the_store(store: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.write_bytes(key, b"")


def test_an_address_that_is_none_names_the_setting() -> None:
    with pytest.raises(StateError, match=r"Protocol not known: s4 .* correct SLUICE_OBJECT_STORE"):
        ObjectStore("s4://bucket").exists("a")


def apart(work: Callable[[], object]) -> None:
    """Do something in a thread of its own, which has a file system of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
