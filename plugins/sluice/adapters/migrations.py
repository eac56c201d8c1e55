"""Brings the warehouse's platform tables up to date: numbered SQL files, applied once each."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import psycopg2


def migrate(dsn: str, folder: Path) -> list[str]:
    """Apply every migration that has not been applied yet; whoever comes second waits.

    Args:
        dsn: The warehouse, as `postgresql://user:password@host:port/database`.
        folder: Holds the numbered `.sql` files.

    Returns:
        The ids of the migrations applied now; empty when there was nothing to do.
    """
    # Local: yoyo sets up logging when imported, which must not happen at DAG parse time.
    from yoyo import get_backend, read_migrations

    with closing(psycopg2.connect(dsn)) as guard, guard.cursor() as cursor:
        # Yoyo's own lock is a row, which a process that was killed leaves behind for ever; this one ends with it.
        cursor.execute("SELECT pg_advisory_lock(hashtext('sluice.migrations'))")
        backend = get_backend(dsn)
        with closing(backend.connection):
            backend.break_lock()
            pending = backend.to_apply(read_migrations(str(folder)))
            applied = [migration.id for migration in pending]
            backend.apply_migrations(pending)
    return applied


@click.command()
def main() -> None:
    """Bring the warehouse's tables up to date."""
    from sluice.settings import settings

    applied = migrate(settings().warehouse_dsn, settings().sql / "migrations")
    click.echo("\n".join(f"applied {name}" for name in applied) or "the warehouse is up to date")


if __name__ == "__main__":
    main()
