"""The accounts of Airflow: what is asked of the environment; tests/security tries the rest with a real Airflow."""

from __future__ import annotations

import pytest

from local.accounts import ACCOUNTS, passwords
from local.errors import StackError
from local.secrets import NAMES

GIVEN = {account.password: f"of {account.name}" for account in ACCOUNTS}


def test_each_has_the_password_that_is_made_for_it() -> None:
    assert {account.password for account in ACCOUNTS} <= set(NAMES)
    assert passwords(GIVEN) == {"admin": "of admin", "watcher": "of watcher"}


@pytest.mark.parametrize("lacking", GIVEN)
def test_without_a_password_nobody_is_made(lacking: str) -> None:
    with pytest.raises(StackError, match=f"{lacking}.*run make secrets"):
        passwords(GIVEN | {lacking: ""})


def test_only_the_administrator_may_change_anything() -> None:
    assert {account.name: account.role for account in ACCOUNTS} == {"admin": "Admin", "watcher": "Viewer"}
