"""Brings the warehouse's platform tables up to date: numbered SQL files, applied once each."""

from __future__ import annotations

from pathlib import Path

import click


def migrate(dsn: str, folder: Path) -> list[str]:
    """Apply every migration that has not been applied yet, under yoyo's lock.

    Args:
        dsn: The warehouse, as `postgresql://user:password@host:port/database`.
        folder: Holds the numbered `.sql` files.

    Returns:
        The ids of the migrations applied now; empty when there was nothing to do.
    """
    # Local: yoyo sets up logging when imported, which must not happen at DAG parse time.
    from yoyo import get_backend, read_migrations

    backend = get_backend(dsn)
    try:
        with backend.lock():
            pending = backend.to_apply(read_migrations(str(folder)))
            applied = [migration.id for migration in pending]
            backend.apply_migrations(pending)
    finally:
        backend.connection.close()
    return applied


@click.command()
def main() -> None:
    """Bring the warehouse's tables up to date."""
    from sluice.settings import settings

    applied = migrate(settings().warehouse_dsn, settings().sql / "migrations")
    click.echo("\n".join(f"applied {name}" for name in applied) or "the warehouse is up to date")


if __name__ == "__main__":
    main()
