"""Recall: an earlier snapshot, to be trained on again."""

from __future__ import annotations

import logging
from decimal import Decimal

import numpy as np

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.search import Split
from sluice.domain.use_case import UseCase
from sluice.training import snapshots
from sluice.training.snapshots import PartName, Rows, Snapshot

log = logging.getLogger(__name__)

#: As many identities of a snapshot are looked for among the validated rows; one that is there is enough.
_LOOKED_FOR = 10_000


def recall(warehouse: Warehouse, store: ObjectStore, use_case: UseCase, snapshot_id: str) -> Snapshot:
    """An earlier snapshot, if a model made from it could be judged on the rows of now.

    Args:
        warehouse: Holds the ledger and the validated rows.
        store: Holds the snapshot's file.
        use_case: As its spec says now.
        snapshot_id: As the ledger, a model version or a run's log names it.

    Raises:
        StateError: There is no such snapshot, it is another use case's or not whole, or its rows were divided into
            parts otherwise than the spec says now, so that a model would be judged on rows it was fitted on.
    """
    snapshot = snapshots.get(warehouse, snapshot_id.strip())
    if snapshot.use_case != use_case.name:
        raise StateError(
            f"snapshot {snapshot.snapshot_id} is of {snapshot.use_case}, not of {use_case.name}",
            "ml.snapshots",
            f"give a snapshot of {use_case.name}, or none to freeze its rows of now",
        )
    rows = snapshots.load(store, snapshot, use_case)
    if not _divided_alike(use_case.training.split, rows) or not _known(warehouse, use_case, rows):
        raise StateError(
            f"the rows of snapshot {snapshot.snapshot_id} are not known to be divided as the spec says now: "
            "`training.split` has changed since, or none of them is among the validated rows",
            snapshot.uri,
            "train on the rows of now",
        )
    log.info("snapshot %s again: %s", snapshot.snapshot_id, snapshot.note)
    return snapshot


def _divided_alike(split: Split, rows: Rows) -> bool:
    """Whether each row's part is the one that its identity has now."""
    # As decimals, like the view computes it: 0.1 + 0.2 is 0.3 there.
    test, calibration = Decimal(str(split.test)), Decimal(str(split.calibration))
    ends = np.array([int(share * 2**32) + bool(share * 2**32 % 1) for share in (test, test + calibration)])
    names: tuple[PartName, ...] = ("test", "calibration", "train")
    for position, name in enumerate(names):
        identities = getattr(rows, name).identity
        places = np.array([int(identity[:8], 16) for identity in identities], dtype=np.int64)
        if (np.searchsorted(ends, places, side="right") != position).any():
            return False
    return True


def _known(warehouse: Warehouse, use_case: UseCase, rows: Rows) -> bool:
    """Whether a validated row of now has the identity of one of these; none has when identities are made otherwise."""
    identities = np.concatenate([rows.test.identity, rows.calibration.identity, rows.train.identity])
    statement = warehouse.statement("training/known_rows", view=("validated", use_case.name))
    [counted] = warehouse.rows(statement, {"identities": identities[:_LOOKED_FOR].tolist()})
    return bool(counted["known_rows"])
