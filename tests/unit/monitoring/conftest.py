"""Use cases of a number and of classes, and rows of them whose distribution is known."""

import importlib
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from psycopg2 import sql
from psycopg2.extras import Json

from sluice.adapters import bundles, histograms
from sluice.adapters.bundles import Bundle
from sluice.adapters.warehouse import Warehouse
from sluice.domain.columns import Sensitive
from sluice.domain.contract import Contract, Golden, Input, Label, Limits, Lineage, Output
from sluice.domain.use_case import UseCase

NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)

Rows = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session", autouse=True)
def _evidently() -> None:
    """Imports Evidently, which uses what its own dependencies have deprecated, before warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("evidently.presets")


@pytest.fixture(scope="session")
def parcels() -> UseCase:
    """Half of the columns may drift; 200 rows are needed to tell."""
    return UseCase.model_validate(
        {
            "name": "parcels",
            "title": "Parcels",
            "task": "regression",
            "target": "price",
            "owner": {"name": "Tests", "alerts": ("ops@example.test",)},
            "columns": (
                {"name": "weight", "type": "number"},
                {"name": "stops", "type": "integer"},
                {"name": "fragile", "type": "boolean"},
                {"name": "zone", "type": "category", "categories": ("near", "far")},
                {"name": "price", "type": "number"},
            ),
            "training": {"families": {"ridge": {}}},
            "gate": {"thresholds": {"r2": {"min": 0.5}}},
            "serving": {"example": {"weight": 1.0, "stops": 2, "fragile": True, "zone": "far"}},
            "monitoring": {"max_drifted_share": 0.5, "min_rows": 200, "sample_rows": 1000},
        }
    )


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Makes rows; `shift` moves every column."""

    def make(count: int, shift: float = 0.0, seed: int = 0) -> pd.DataFrame:
        draw = np.random.default_rng(seed)
        return pd.DataFrame(
            {
                "weight": draw.normal(5 + 3 * shift, 1, count),
                "stops": draw.poisson(4 + 6 * shift, count),
                "fragile": draw.random(count) < 0.3 + 0.6 * shift,
                "zone": np.where(draw.random(count) < 0.5 + 0.45 * shift, "near", "far"),
                "price": draw.normal(20 + 9 * shift, 2, count),
            }
        )

    return make


@pytest.fixture(scope="session")
def reference(rows: Rows) -> pd.DataFrame:
    """What a release was trained on, as its bundle keeps it: booleans are doubles, and it has its predictions."""
    trained = rows(3000, seed=1)
    return trained.assign(fragile=trained["fragile"].astype("float64"), prediction=trained["price"])


@pytest.fixture
def bundle(tmp_path: Path, parcels: UseCase, reference: pd.DataFrame) -> Bundle:
    """A release of parcels that learned from the reference."""
    return release(tmp_path / "bundle", parcels, reference)


@pytest.fixture(params=["boolean", "category"])
def letters(request: pytest.FixtureRequest) -> UseCase:
    """Predicts whether a letter is late, as a boolean; or its fate, as one of three categories."""
    fate: dict[str, object] = {"name": "fate", "type": request.param}
    if request.param == "category":
        fate["categories"] = ("early", "late", "lost")
    return UseCase.model_validate(
        {
            "name": "letters",
            "title": "Letters",
            "task": "binary" if request.param == "boolean" else "multiclass",
            "target": "fate",
            "positive_label": "true" if request.param == "boolean" else None,
            "owner": {"name": "Tests", "alerts": ("ops@example.test",)},
            "columns": ({"name": "weight", "type": "number"}, fate),
            "training": {"families": {"logistic_regression": {}}},
            "gate": {"thresholds": {"accuracy": {"min": 0.5}}},
            "serving": {"example": {"weight": 1.0}},
            "monitoring": {"max_drifted_share": 0.5, "min_rows": 200, "sample_rows": 1000},
        }
    )


def release(folder: Path, use_case: UseCase, learned: pd.DataFrame, **sensitive: Sensitive) -> Bundle:
    """A release's bundle, as training writes it, with no model in it.

    Args:
        folder: Where it is written.
        use_case: Whose.
        learned: The training rows, with target and prediction.
        **sensitive: Inputs of which the log holds nothing, or a hash.
    """
    contract = Contract(
        use_case=use_case.name,
        title=use_case.title,
        task=use_case.task,
        family="none",
        inputs=tuple(
            Input(name=c.name, type=c.type, sensitive=sensitive.get(c.name))
            for c in use_case.inputs
            if c.type != "timestamp"
        ),
        output=Output(name=use_case.target, labels=tuple(Label(value=c, title=c) for c in use_case.classes)),
        limits=Limits(max_instances=10, missing="reject", unknown_fields="reject", unseen_category="ignore"),
        example=use_case.serving.example,
        metrics={},
        lineage=Lineage(run_id="r", snapshot_id="s", spec_sha256="", test_share=0.2, identity=()),
        libraries={},
        runtime_sha256="",
        trained_at="2026-01-01T00:00:00Z",
    )
    sample = learned.head(use_case.monitoring.sample_rows)
    golden = Golden(instances=(), predictions=())
    whole = histograms.freeze(contract, learned)
    return bundles.write(folder, b"", contract, golden, sample, histograms=whole)


def posted(use_case: UseCase, count: int, first: float, seed: int = 0) -> pd.DataFrame:
    """Letters whose fate is the first class with a given probability, and any other else; classes by name."""
    draw = np.random.default_rng(seed)
    names = np.array(use_case.classes, dtype=object)
    fates = np.where(draw.random(count) < first, names[0], draw.choice(names[1:], count))
    return pd.DataFrame({"weight": draw.normal(5, 1, count), "fate": fates})


@pytest.fixture
def empty(warehouse: Warehouse) -> Warehouse:
    """The module's warehouse without a row, and with an empty view of validated rows."""
    warehouse.execute("TRUNCATE ingest.batches, monitoring.reports, monitoring.responses, serving.answers CASCADE")
    # Labels are history, which refuses to be emptied.
    warehouse.execute(
        "ALTER TABLE serving.labels DISABLE TRIGGER USER; TRUNCATE serving.labels;"
        " ALTER TABLE serving.labels ENABLE TRIGGER USER"
    )
    warehouse.execute(
        "CREATE TABLE IF NOT EXISTS landing.parcels"
        " (weight double precision, stops bigint, fragile boolean, zone text, price double precision,"
        " _batch_id bigint, _row bigint)"
    )
    warehouse.execute("CREATE OR REPLACE VIEW validated.parcels AS SELECT * FROM landing.parcels")
    warehouse.execute("TRUNCATE landing.parcels")
    return warehouse


def add_batch(warehouse: Warehouse, batch: pd.DataFrame, use_case: str = "parcels") -> int:
    """Accept a batch."""
    sha256 = str(pd.util.hash_pandas_object(batch).sum())
    found = warehouse.rows(
        "INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows, status, current_since)"
        " VALUES (%(use_case)s, 'file:///x', %(sha256)s, 1, %(rows)s, 'accepted', now()) RETURNING batch_id",
        {"use_case": use_case, "sha256": sha256, "rows": len(batch)},
    )
    batch_id: int = found[0]["batch_id"]
    _insert(
        warehouse,
        sql.SQL("INSERT INTO {0} SELECT * FROM json_populate_recordset(null::{0}, %(rows)s)").format(
            sql.Identifier("landing", use_case)
        ),
        batch.assign(_batch_id=batch_id, _row=range(len(batch))),
    )
    return batch_id


def add_predictions(
    warehouse: Warehouse, asked: pd.DataFrame, at: datetime, version: int = 1, use_case: str = "parcels"
) -> None:
    """Log a request as the endpoint does; what was predicted is the price."""
    inputs = asked.drop(columns="price")
    _answer(warehouse, inputs, at, use_case, version, predictions=asked["price"].tolist())


def add_truth(warehouse: Warehouse, at: datetime, truth: list[float]) -> None:
    """Say what was true of the first predictions of parcels that were answered at a moment."""
    warehouse.execute(
        "INSERT INTO serving.labels (prediction_id, answer_id, place, request_id, use_case, model_version, role,"
        " predicted_at, prediction, true_number)"
        " SELECT serving.prediction_id(answer_id, said.place - 1), answer_id, said.place - 1, request_id, use_case,"
        " model_version, role, predicted_at, predictions[said.place], said.truth FROM serving.answers"
        " CROSS JOIN unnest(%(truth)s::double precision[]) WITH ORDINALITY AS said (truth, place)"
        " WHERE predicted_at = %(at)s AND use_case = 'parcels'",
        {"at": at, "truth": truth},
    )


def add_letters(warehouse: Warehouse, use_case: UseCase, batch: pd.DataFrame) -> int:
    """Accept a batch of letters, in a table whose target is of the declared type."""
    kind = {"boolean": "boolean", "category": "text"}[use_case.target_column.type]
    warehouse.execute("DROP TABLE IF EXISTS landing.letters CASCADE")
    warehouse.execute(
        f"CREATE TABLE landing.letters (weight double precision, fate {kind}, _batch_id bigint, _row bigint)"
    )
    warehouse.execute("CREATE VIEW validated.letters AS SELECT * FROM landing.letters")
    return add_batch(warehouse, batch, "letters")


def add_labels(warehouse: Warehouse, asked: pd.DataFrame, at: datetime) -> None:
    """Log a request about letters as the endpoint does; what was predicted is the fate."""
    probabilities = Json([{}] * len(asked))
    inputs = asked.drop(columns="fate")
    _answer(warehouse, inputs, at, "letters", 1, labels=asked["fate"].tolist(), probabilities=probabilities)


ANSWER = """
INSERT INTO serving.answers (
    answer_id, request_id, use_case, model_version, role, size, names, features, predictions, labels, probabilities,
    latency_ms, predicted_at
)
VALUES (
    gen_random_uuid(), 'r', %(use_case)s, %(version)s, 'champion', %(size)s, %(names)s, %(features)s,
    %(predictions)s, %(labels)s, %(probabilities)s, 1, %(at)s
)
"""


def _answer(
    warehouse: Warehouse, inputs: pd.DataFrame, at: datetime, use_case: str, version: int, **answers: object
) -> None:
    warehouse.rows("SELECT serving.ensure_partition(%(day)s)", {"day": at.date()})
    values: dict[str, object] = {
        "use_case": use_case,
        "version": version,
        "size": len(inputs),
        "names": list(inputs.columns),
        # As objects, which are Python's own numbers.
        "features": Json([list(row) for row in inputs.astype(object).to_numpy()]),
        "at": at,
    }
    nothing = {"predictions": None, "labels": None, "probabilities": None}
    warehouse.execute(ANSWER, values | nothing | answers)


def _insert(warehouse: Warehouse, statement: str | sql.Composable, rows: pd.DataFrame, **values: object) -> None:
    warehouse.execute(statement, {"rows": Json(rows.to_dict("records")), **values})
