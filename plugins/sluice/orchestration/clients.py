"""The clients that tasks work with, made from the settings. Called inside tasks only."""

from __future__ import annotations

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.settings import settings


def warehouse() -> Warehouse:
    """The warehouse that the settings name."""
    return Warehouse(settings().warehouse_dsn, settings().sql)


def tracking() -> Tracking:
    """The MLflow server that the settings name."""
    return Tracking(settings().tracking_uri)


def store() -> ObjectStore:
    """The object store that the settings name."""
    return ObjectStore(settings().object_store)
