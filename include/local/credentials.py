"""Passwords and keys: made at random at the first start, kept in the state folder, never committed."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass

from local.state import State, read_json, write_private


@dataclass(frozen=True)
class Credentials:
    """The secrets of one stack."""

    postgres: str
    admin: str
    viewer: str
    fernet_key: str
    api_secret: str
    jwt_secret: str


def generate() -> Credentials:
    """New random secrets; the passwords that people type are pronounceable, of some 50 bits."""
    return Credentials(
        postgres=secrets.token_hex(16),
        admin=pronounceable(),
        viewer=pronounceable(),
        fernet_key=fernet_key(),
        api_secret=secrets.token_hex(32),
        jwt_secret=secrets.token_hex(32),
    )


def load(state: State) -> Credentials:
    """The secrets of the state folder, made now if it has none."""
    path = state.root / "credentials.json"
    kept = read_json(path)
    credentials = Credentials(**kept) if kept else generate()
    if not kept:
        write_private(path, json.dumps(asdict(credentials), indent=2))
    users = {"admin": credentials.admin, "viewer": credentials.viewer}
    if read_json(state.passwords) != users:
        write_private(state.passwords, json.dumps(users) + "\n")
    return credentials


def pronounceable(words: int = 4) -> str:
    """A password for people, of some 12 bits in each of its words."""
    made = ("".join(secrets.choice(part) for part in ("bdfgklmnprstvz", "aeiou") * 2) for _ in range(words))
    return "-".join(made)


def fernet_key() -> str:
    """A key as Airflow encrypts connections with."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
