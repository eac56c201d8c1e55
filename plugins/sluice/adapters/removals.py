"""Removals: what takes old files away does so while nobody copies them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluice.adapters.warehouse import Warehouse, fetch


@contextmanager
def removing(warehouse: Warehouse) -> Iterator[None]:
    """Keep backups from beginning while the block lasts; where one is under way, wait for its end first."""
    with warehouse.transaction() as connection:
        fetch(connection, warehouse.statement("removals/begin"))
        yield
