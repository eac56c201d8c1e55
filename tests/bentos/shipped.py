"""Release bundles of the use cases that ship, fitted on their samples by the code that trains releases."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from sluice.adapters import bundles
from sluice.domain.contract import Lineage
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.ingestion import samples
from sluice.training import candidate, families
from sluice.training.choices import choose
from sluice.training.search import Attempt
from sluice.training.snapshots import Rows
from tabular.settings import PACKAGE

USE_CASES = PACKAGE.parents[1] / "include" / "use_cases"
PARTS = {"test": 0.2, "calibration": 0.1, "train": 0.7}
#: Of the sample; enough to fit what is fitted in a second.
ROWS = 3000
#: The families that are.
QUICK: frozenset[Family] = frozenset({"ridge", "logistic_regression"})


def bundle(use_case: UseCase, folder: Path) -> Path:
    """Write a bundle that says it is version 1, as an image carries it, and return its folder."""
    rows = Rows.of(use_case, _sample(use_case, folder / "rows.csv"))
    [family] = QUICK & use_case.training.families.keys()
    now = datetime.now(UTC)
    parameters = dict(families.start(family, use_case.task))
    best = Attempt(0, family, parameters, scores=(0.0,), seconds=0, begun=now, finished=now, state="complete")
    lineage = Lineage(run_id="", snapshot_id="", spec_sha256="", test_share=PARTS["test"], identity=use_case.identity)
    runtime, written = bundles.runtime_sha256(PACKAGE), folder / "bundle"
    candidate.make(use_case, rows, choose(use_case, rows.train).choices, best, lineage, runtime, written)
    (written / "release.json").write_text(json.dumps({"version": 1}))
    return written


def _sample(use_case: UseCase, path: Path) -> pd.DataFrame:
    samples.write(path, samples.read(USE_CASES / use_case.name), use_case.columns, rows=ROWS)
    # The warehouse's numbers are doubles, whatever the file's look like.
    doubles = {column.source_header: "float64" for column in use_case.columns if column.type == "number"}
    texts = {column.source_header: "str" for column in use_case.columns if column.type == "category"}
    frame = pd.read_csv(path, dtype=doubles | texts)
    frame = frame.rename(columns={column.source_header: column.name for column in use_case.columns})
    hashes = [hashlib.sha256(str(row).encode()).hexdigest() for row in range(len(frame))]
    places = np.random.default_rng(0).choice(list(PARTS), size=len(frame), p=list(PARTS.values()))
    return frame.assign(_identity=hashes, _part=places)
