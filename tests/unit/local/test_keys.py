"""The command for API keys: a key is shown once, its digest is kept privately, and mistakes change nothing."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from local import keys
from local.errors import StackError
from local.state import REPOSITORY, State

NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return State(tmp_path).keys


def run(path: Path, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, as `make api-key` and its likes run it."""
    return subprocess.run(
        [sys.executable, "-m", "local.keys", *arguments],
        env=os.environ | {"PYTHONPATH": "include:plugins", "SLUICE_API_KEYS": str(path)} | environment,
        cwd=REPOSITORY,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_key_can_be_recognised_and_not_guessed(path: Path) -> None:
    made = [keys.make(path, f"k{number}") for number in range(20)]

    assert all(re.fullmatch(r"slk_[A-Za-z0-9_-]{43}", key) for key in made)
    assert len(set(made)) == 20


def test_the_file_holds_its_digest_and_never_the_key(path: Path) -> None:
    key = keys.make(path, "alice", days=90, now=NOW)

    assert key not in path.read_text()
    assert json.loads(path.read_text()) == {
        "name": "alice",
        "sha256": sha256(key.encode()).hexdigest(),
        "made": "2026-11-21T15:00:00+00:00",
        "expires": "2027-02-19T15:00:00+00:00",
    }


def test_only_the_owner_may_read_the_file_and_nothing_lies_beside_it(path: Path) -> None:
    keys.make(path, "alice")
    keys.make(path, "bob")
    keys.revoke(path, "alice")

    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in path.parent.iterdir()] == [(path.name, 0o600)]


def test_revoking_takes_one_out(path: Path) -> None:
    for name in ("alice", "bob", "carol"):
        keys.make(path, name)
    keys.revoke(path, "bob")

    assert [line["name"] for line in keys.read(path)] == ["alice", "carol"]


def test_those_who_make_keys_at_once_lose_none(path: Path) -> None:
    names = [f"k{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: run(path, "make", name).check_returncode(), names))

    assert sorted(line["name"] for line in keys.read(path)) == sorted(names)


def test_a_key_that_was_made_elsewhere_takes_the_place_of_the_one_before(path: Path) -> None:
    keys.make(path, "alice")
    old, new = ("slk_" + letter * 43 for letter in "on")

    assert [keys.lay(path, "watcher", key) for key in (old, new, new)] == [True, True, False]
    assert [(line["name"], line["sha256"]) for line in keys.read(path)][1:] == [
        ("watcher", sha256(new.encode()).hexdigest())
    ]
    assert len(keys.read(path)) == 2


@pytest.mark.parametrize("key", ["", "slk_short", "x" * 47, "slk_" + "a" * 42 + "\n"])
def test_what_is_no_key_is_not_laid_and_not_shown(path: Path, key: str) -> None:
    with pytest.raises(StackError, match="what was given is no key") as caught:
        keys.lay(path, "watcher", key)
    assert not key or key not in str(caught.value)
    assert not path.exists()


def test_a_key_is_laid_from_the_standard_input(path: Path) -> None:
    key = "slk_" + "k" * 43

    done = run(path, "lay", "watcher", given=key + "\n")

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert key not in done.stderr
    assert [line["sha256"] for line in keys.read(path)] == [sha256(key.encode()).hexdigest()]


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "é", "x" * 65, "a/b"])
def test_a_name_must_be_fit_for_a_log(path: Path, name: str) -> None:
    with pytest.raises(StackError, match="cannot name a key"):
        keys.make(path, name)
    assert not path.exists()


@pytest.mark.parametrize("days", [0, -1])
def test_a_key_opens_for_a_day_at_least(path: Path, days: int) -> None:
    with pytest.raises(StackError, match="DAYS"):
        keys.make(path, "alice", days)


def test_a_name_is_given_once(path: Path) -> None:
    keys.make(path, "alice")
    before = path.read_bytes()

    with pytest.raises(StackError, match=r"there is a key of alice already.*alice-2"):
        keys.make(path, "alice")
    assert path.read_bytes() == before


def test_what_is_not_there_cannot_be_revoked(path: Path) -> None:
    with pytest.raises(StackError, match="there is no key of alice"):
        keys.revoke(path, "alice")


def test_a_broken_file_is_told_and_left_as_it_is(path: Path) -> None:
    keys.make(path, "alice")
    content = path.read_text() + "slk_by_mistake\n"
    path.write_text(content)

    for change in (lambda: keys.make(path, "bob"), lambda: keys.revoke(path, "alice"), lambda: keys.read(path)):
        with pytest.raises(StackError, match="line 2 of the keys is none") as caught:
            change()
        assert "by_mistake" not in str(caught.value)
    assert path.read_text() == content


def test_the_command_prints_the_key_alone_and_lists_no_digest(path: Path) -> None:
    made = run(path, "make", "--days", "90", "--", "alice")
    assert made.returncode == 0, made.stderr
    digest = json.loads(path.read_text())["sha256"]
    assert sha256(made.stdout.strip().encode()).hexdigest() == digest
    assert str(path) in made.stderr

    listed = run(path, "list", COLUMNS="200").stdout
    assert re.search(r"alice +\S+T\S+\+00:00 +\S+T\S+\+00:00", listed)
    assert digest not in listed
    assert made.stdout.strip() not in listed

    assert run(path, "revoke", "--", "alice").returncode == 0
    assert "there are no keys: make api-key NAME=<who> makes one" in run(path, "list").stdout


def test_an_expired_key_is_listed_as_such(path: Path) -> None:
    keys.make(path, "alice", days=1, now=NOW.replace(year=2020))

    assert "expired" in run(path, "list", COLUMNS="200").stdout


def test_a_mistake_is_one_line(path: Path) -> None:
    done = run(path, "revoke", "--", "--help")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "there is no key of --help" in done.stderr


def test_the_keys_of_a_stack_lie_in_its_state(tmp_path: Path) -> None:
    done = run(Path(), "make", "alice", SLUICE_API_KEYS="", SLUICE_VAR=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert [line["name"] for line in keys.read(State(tmp_path).keys)] == ["alice"]
