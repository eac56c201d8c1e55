"""The accounts that Airflow in containers always has: `python -m local.accounts` makes them, or brings them in order.

Their passwords are those of the environment; whoever else signs in is added by the administrator.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from local.errors import StackError

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride


@dataclass(frozen=True)
class Account:
    """Somebody who signs in to Airflow.

    Attributes:
        name: As which.
        role: What they may do.
        password: The variable that holds their password.
    """

    name: str
    role: str
    password: str


ACCOUNTS = (
    Account("admin", "Admin", "SLUICE_ADMIN_PASSWORD"),
    # It reads when runs are due and what waits in queues, and changes nothing.
    Account("watcher", "Viewer", "SLUICE_WATCHER_AIRFLOW_PASSWORD"),
)


def keep(security: FabAirflowSecurityManagerOverride, account: Account, password: str) -> str:
    """Make an account, or give it its role and its password, and say what was done.

    Raises:
        StackError: Airflow does not take it.
    """
    role, user = security.find_role(account.role), security.find_user(account.name)
    if role is None:
        raise StackError(f"Airflow has no role {account.role}", account.name, "run airflow sync-perm")
    if user is None:
        # Nobody is written to there: alerts go to the owners of the use cases.
        address = f"{account.name}@localhost"
        if not security.add_user(account.name, account.name, account.name, address, role, password):
            raise StackError("Airflow did not make the account", account.name, "read what Airflow said before this")
        return "made"
    done = []
    if user.roles != [role]:
        user.roles = [role]
        security.update_user(user)
        done.append(f"role {account.role} again")
    if not security.check_password(account.name, password):
        # Whoever is signed in with the old one is signed out.
        security.reset_password(user.id, password)
        done.append("new password")
    return ", ".join(done) or "as it was"


def passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """Each account's password.

    Raises:
        StackError: One is missing.
    """
    found = {account.name: environment.get(account.password, "") for account in ACCOUNTS}
    if missing := [account.password for account in ACCOUNTS if not found[account.name]]:
        raise StackError("an account has no password", ", ".join(missing), "run make secrets")
    return found


@click.command(help=__doc__)
def command() -> None:
    """Keep all accounts."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    # It tells of each of some three hundred rights that a role gets.
    logging.getLogger("airflow.providers.fab").setLevel(logging.WARNING)
    try:
        known = passwords(os.environ)
        with get_application_builder() as builder:
            builder.sm.sync_roles()
            for account in ACCOUNTS:
                click.echo(f"{account.name} ({account.role}): {keep(builder.sm, account, known[account.name])}")
    except StackError as error:
        click.echo(f"{click.style('error', fg='red')} {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    command(prog_name="python -m local.accounts")
