"""Keys: what a file of them opens, while it changes, breaks and goes away; the stack's command writes what is read."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from local import keys as command
from tabular.web.keys import LONGEST_KEY, Keyring, presented

#: Looks at its file whenever it is asked.
Follow = Callable[[], Keyring]
LONG_AGO = datetime.now(UTC) - timedelta(days=100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api-keys.jsonl"


@pytest.fixture
def follow(path: Path) -> Follow:
    return lambda: Keyring(path, every=0)


def line(name: str, key: str, **more: str) -> str:
    """As somebody else may write it."""
    return json.dumps({"name": name, "sha256": sha256(key.encode()).hexdigest(), **more}) + "\n"


def test_a_key_that_the_command_makes_opens_under_its_name(path: Path, follow: Follow) -> None:
    alice, bob = command.make(path, "alice"), command.make(path, "bob", days=1)
    ring = follow()

    assert [ring.admit(alice), ring.admit(bob)] == ["alice", "bob"]


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda key: "",
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key.lower(),
        lambda key: sha256(key.encode()).hexdigest(),
        lambda key: f" {key}",
        lambda key: "\xff" * 20,
        lambda key: "\ud800",
        lambda key: key + "A" * LONGEST_KEY,
    ],
    ids=["none", "shorter", "longer", "lower case", "its digest", "space", "bytes", "half a character", "very long"],
)
def test_what_is_not_the_key_opens_nothing(path: Path, follow: Follow, spoilt: Callable[[str], str]) -> None:
    key = command.make(path, "alice")

    assert follow().admit(spoilt(key)) is None


def test_a_key_that_is_made_while_the_service_runs_opens(path: Path, follow: Follow) -> None:
    command.make(path, "alice")
    ring = follow()

    assert ring.admit(command.make(path, "bob")) == "bob"


def test_a_revoked_key_opens_nothing_and_the_others_go_on(path: Path, follow: Follow) -> None:
    alice, bob = command.make(path, "alice"), command.make(path, "bob")
    ring = follow()
    command.revoke(path, "alice")

    assert [ring.admit(alice), ring.admit(bob)] == [None, "bob"]


@pytest.mark.parametrize("replaced", [True, False], ids=["another file", "the same file"])
def test_a_key_takes_anothers_place_in_a_file_of_the_same_size(path: Path, follow: Follow, replaced: bool) -> None:
    path.write_text(line("alice", "a"))
    ring = follow()
    if replaced:
        path.unlink()
    path.write_text(line("caren", "c"))

    assert [ring.admit("a"), ring.admit("c")] == [None, "caren"]


def test_the_last_key_can_be_revoked(path: Path, follow: Follow) -> None:
    alice = command.make(path, "alice")
    ring = follow()
    command.revoke(path, "alice")

    assert ring.admit(alice) is None


def test_an_expired_key_opens_nothing_though_nobody_touches_the_file(path: Path, follow: Follow) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
    path.write_text(line("alice", "k", expires=soon))
    ring = follow()
    assert ring.admit("k") == "alice"

    while datetime.now(UTC).isoformat() <= soon:
        pass
    assert ring.admit("k") is None


def test_two_keys_of_one_name_open_while_one_takes_over_from_the_other(path: Path, follow: Follow) -> None:
    path.write_text(line("alice", "old") + "\n" + line("alice", "new"))
    ring = follow()

    assert [ring.admit("old"), ring.admit("new")] == ["alice", "alice"]


def test_the_file_is_not_looked_at_for_every_request(path: Path) -> None:
    alice = command.make(path, "alice")
    ring = Keyring(path, every=3600)
    bob = command.make(path, "bob")

    assert [ring.admit(alice), ring.admit(bob)] == ["alice", None]


BROKEN = {
    "no JSON": ("slk_by_mistake\n", "line 2: Invalid JSON"),
    "no digest": ('{"name": "bob"}\n', "line 2: sha256: Field required"),
    "a key for its digest": ('{"name": "bob", "sha256": "slk_by_mistake"}\n', "line 2: sha256: String should match"),
    "a name with a line break": (json.dumps({"name": "b\nb", "sha256": "0" * 64}), "line 2: name: String should match"),
    "a word too many": (line("bob", "k", until="2030"), "line 2: until: Extra inputs"),
    "a moment without a zone": (line("bob", "k", expires="2030-01-01T00:00:00"), "line 2: expires: Input should have"),
    "no text": ("\xff\xfe", "line 2: Invalid JSON"),
}


@pytest.mark.parametrize(("more", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_leaves_the_last_good_keys_in_force_and_is_told(
    path: Path, follow: Follow, caplog: pytest.LogCaptureFixture, more: str, told: str
) -> None:
    alice = command.make(path, "alice")
    ring = follow()
    good = path.read_bytes()
    path.write_bytes(good + more.encode("latin-1"))

    assert [ring.admit(alice) for _ in range(3)] == ["alice"] * 3
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert f"{path}, {told}" in record.getMessage()
    assert "stay in force" in record.getMessage()
    # Somebody may have put a key where its digest belongs.
    assert "by_mistake" not in caplog.text

    path.write_bytes(good)
    bob = command.make(path, "bob")
    assert [ring.admit(alice), ring.admit(bob)] == ["alice", "bob"]


def test_a_file_that_goes_away_leaves_the_keys_in_force(
    path: Path, follow: Follow, caplog: pytest.LogCaptureFixture
) -> None:
    alice = command.make(path, "alice")
    ring = follow()
    path.unlink()

    assert ring.admit(alice) == "alice"
    assert f"{path} cannot be read: No such file or directory; the keys that were read before" in caplog.text


def missing(_: Path) -> None:
    """Write nothing."""


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (missing, "cannot be read: No such file or directory"),
        (Path.touch, "is empty"),
        (Path.mkdir, "cannot be read: Is a directory"),
        (lambda path: path.write_text("x"), "line 1: Invalid JSON"),
    ],
    ids=["missing", "empty", "folder", "broken"],
)
def test_without_keys_at_the_start_nobody_gets_in_until_there_are_some(
    path: Path, follow: Follow, caplog: pytest.LogCaptureFixture, prepare: Callable[[Path], object], told: str
) -> None:
    prepare(path)
    ring = follow()

    assert [ring.admit(""), ring.admit("slk_any")] == [None, None]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert told in record.getMessage()
    assert "nobody gets in: name a file of keys in SLUICE_API_KEYS" in record.getMessage()

    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    assert ring.admit(command.make(path, "alice")) == "alice"


def test_without_a_file_named_nobody_gets_in(caplog: pytest.LogCaptureFixture) -> None:
    assert Keyring(None, every=0).admit("slk_any") is None
    assert "SLUICE_API_KEYS names no file; nobody gets in" in caplog.text


def test_a_key_is_never_logged_and_a_change_is(path: Path, follow: Follow, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    alice = command.make(path, "alice")
    ring = follow()
    for given in (alice, alice + "x"):
        ring.admit(given)
    bob = command.make(path, "bob")
    ring.admit(bob)

    assert [record.getMessage() for record in caplog.records] == [
        "API keys in force: alice",
        "API keys in force: alice, bob",
    ]


@pytest.mark.parametrize(
    ("api_key", "authorization", "found"),
    [
        ("k", "", "k"),
        ("", "Bearer k", "k"),
        ("", "bearer  k ", "k"),
        ("k", "Bearer other", "k"),
        ("", "Basic k", ""),
        ("", "k", ""),
        ("", "Bearer", ""),
        ("", "", ""),
    ],
)
def test_a_key_comes_in_either_header(api_key: str, authorization: str, found: str) -> None:
    assert presented(api_key, authorization) == found
