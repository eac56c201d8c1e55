"""Brings the warehouse's platform tables up to date: numbered SQL files, applied once each."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import psycopg2

from sluice.adapters.warehouse import place
from sluice.domain.errors import StateError


def migrate(dsn: str, folder: Path) -> list[str]:
    """Apply every migration that has not been applied yet; whoever comes second waits.

    Args:
        dsn: The warehouse, as `postgresql://user:password@host:port/database`.
        folder: Holds the numbered `.sql` files.

    Returns:
        The ids of the migrations applied now; empty when there was nothing to do.

    Raises:
        StateError: A migration fails, which leaves nothing of itself.
    """
    # Local: yoyo sets up logging when imported, which must not happen at DAG parse time.
    from yoyo import get_backend, read_migrations

    with closing(psycopg2.connect(dsn)) as guard, guard.cursor() as cursor:
        # Yoyo's own lock is a row, which a process that was killed leaves behind for ever; this one ends with it.
        cursor.execute("SELECT pg_advisory_lock(hashtext('sluice.migrations'))")
        backend = get_backend(dsn)
        with closing(backend.connection):
            backend.break_lock()
            pending = list(backend.to_apply(read_migrations(str(folder))))
            for migration in pending:
                try:
                    # With its mark in one transaction: who is killed in between leaves neither.
                    with backend.transaction():
                        migration.process_steps(backend, "apply")
                        backend.log_migration(migration, "apply")
                        backend.mark_one(migration, log=False)
                except psycopg2.Error as error:
                    raise StateError(
                        f"migration {migration.id} fails, and those before it are applied: {error}".strip(),
                        place(dsn),
                        "mend what it says and migrate again; nothing of it has been changed",
                    ) from error
    return [migration.id for migration in pending]


def grant(dsn: str, folder: Path) -> list[str]:
    """Give the roles that share the warehouse what they need of its tables.

    Args:
        dsn: The warehouse, as its owner.
        folder: Holds a `.sql` file for each role, named after it.

    Returns:
        The roles; those that the server does not have are passed over, as where one role does everything.
    """
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        # One at a time: two who change the rights on one table at once fail.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('sluice.grants'))")
        cursor.execute("SELECT rolname FROM pg_roles")
        present = {name for (name,) in cursor.fetchall()}
        files = [path for path in sorted(folder.glob("*.sql")) if path.stem in present]
        for path in files:
            cursor.execute(path.read_text(encoding="utf-8"))
    return [path.stem for path in files]


@click.command()
def main() -> None:
    """Bring the warehouse's tables up to date, and who may do what to them."""
    from sluice.settings import settings

    applied = migrate(settings().warehouse_dsn, settings().sql / "migrations")
    click.echo("\n".join(f"applied {name}" for name in applied) or "the warehouse is up to date")
    for role in grant(settings().warehouse_dsn, settings().sql / "grants"):
        click.echo(f"{role} has its rights")


if __name__ == "__main__":
    main()
