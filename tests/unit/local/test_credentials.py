"""Credentials: made once, kept private, shared with Airflow."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

from local import credentials
from local.state import State


def test_they_are_made_once(tmp_path: Path) -> None:
    first = credentials.load(State(tmp_path))

    assert credentials.load(State(tmp_path)) == first


def test_two_stacks_share_none() -> None:
    one, other = credentials.generate(), credentials.generate()

    assert not set(vars(one).values()) & set(vars(other).values())


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    credentials.load(State(tmp_path))

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"credentials.json": 0o600, "airflow-passwords.json": 0o600}


def test_airflow_knows_the_passwords_that_are_shown(tmp_path: Path) -> None:
    made = credentials.load(State(tmp_path))

    assert json.loads(State(tmp_path).passwords.read_text()) == {"admin": made.admin, "viewer": made.viewer}


def test_a_password_can_be_typed_and_a_key_is_what_fernet_takes() -> None:
    made = credentials.generate()

    assert all(part.isalpha() and part.islower() for part in made.admin.split("-"))
    assert len(made.admin) == 19
    assert len(base64.urlsafe_b64decode(made.fernet_key)) == 32
