"""The batches that `benchmarks/drift.py` looks at: as a use case's sample has them, and changed in one way each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.settings import settings

if TYPE_CHECKING:
    import pandas as pd


def names(use_case: UseCase) -> list[str]:
    """The columns that both sides look at."""
    return [column.name for column in use_case.inputs] + [use_case.target]


def selection(use_case: UseCase, batch: int) -> sql.Composed:
    """A batch's rows; a class by its name."""
    table = sql.Identifier("landing", use_case.name)
    classes = use_case.target if use_case.classes else None
    cells = [sql.SQL("{0}::text AS {0}" if n == classes else "{0}").format(sql.Identifier(n)) for n in names(use_case)]
    return sql.SQL("SELECT {} FROM {} WHERE _batch_id = {}").format(
        sql.SQL(", ").join(cells), table, sql.Literal(batch)
    )


def by_arrow(warehouse: Warehouse, use_case: UseCase, batch: int) -> pd.DataFrame:
    """A batch's rows, read the fastest way there is here."""
    return warehouse.arrow(selection(use_case, batch)).to_pandas()


def by_pandas(warehouse: Warehouse, use_case: UseCase, batch: int) -> pd.DataFrame:
    """A batch's rows, read as the documentation of pandas shows."""
    import pandas as pd
    import sqlalchemy

    engine = sqlalchemy.create_engine(sqlalchemy.make_url(warehouse.dsn).set(drivername="postgresql+psycopg2"))
    with engine.connect() as connection:
        text = selection(use_case, batch).as_string(connection.connection.driver_connection)
        return pd.read_sql(sqlalchemy.text(text), connection)


def prepare(
    warehouse: Warehouse, use_case: UseCase, scratch: Path, count: int, learned: int
) -> Iterator[tuple[str, int]]:
    """A release that learned from one sample, and batches of another: as it is, and changed in one way each."""
    from sluice.adapters import bundles, histograms
    from sluice.domain.contract import Golden

    contract = _contract(use_case)
    known = by_arrow(warehouse, use_case, _land(warehouse, use_case, scratch, learned, seed=1))
    known = known.assign(prediction=known[use_case.target])
    known.to_parquet(scratch / "learned.parquet", index=False)
    sample = known.sample(min(learned, use_case.monitoring.sample_rows), random_state=0)
    frozen = histograms.freeze(contract, known)
    golden = Golden(instances=(), predictions=())
    bundles.write(scratch / "bundle", b"", contract, golden, sample, histograms=frozen)
    clean = _land(warehouse, use_case, scratch, count, seed=2)
    yield "clean", clean
    numbers = [c for c in use_case.inputs if c.type in ("number", "integer")]
    number = numbers[0].name
    spread = f"(SELECT stddev({number}) FROM landing.{use_case.name})"  # noqa: S608 - the spec's own names
    kind = "bigint" if numbers[0].type == "integer" else "double precision"
    yield "one number shifted", _changed(warehouse, use_case, clean, {number: f"({number} + 0.5 * {spread})::{kind}"})
    category = next((c for c in use_case.inputs if c.type == "category"), None)
    if category is not None and category.categories:
        label = category.categories[0].replace("'", "''")
        mixed = f"CASE WHEN _row % 5 = 0 THEN '{label}' ELSE {category.name} END"
        yield "category mix changed", _changed(warehouse, use_case, clean, {category.name: mixed})
    slow = {c.name: f"{c.name} * (1 + 0.6 * _row / {count})" for c in numbers if c.type == "number"}
    yield "slow drift", _changed(warehouse, use_case, clean, slow)
    spike = {number: f"CASE WHEN _row % 10 = 0 THEN (6 * {spread})::{kind} ELSE {number} END"}
    yield "spike at one value", _changed(warehouse, use_case, clean, spike)


def _land(warehouse: Warehouse, use_case: UseCase, scratch: Path, count: int, seed: int) -> int:
    from sluice.ingestion import batches, samples, sources

    folder = settings().use_cases / use_case.name
    path = scratch / f"{seed}.csv"
    samples.write(path, samples.read(folder), use_case.columns, rows=count, seed=seed)
    with sources.resolve(use_case, path.parent, path.name) as source:
        batch = batches.land(warehouse, use_case, source)
    path.unlink()
    return _accept(warehouse, batch.batch_id)


def _changed(warehouse: Warehouse, use_case: UseCase, clean: int, changes: dict[str, str]) -> int:
    """A copy of a batch in which some columns are something else."""
    copied = warehouse.rows(
        "INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows, status)"
        " SELECT use_case, source_uri, sha256 || random()::text, bytes, rows, status FROM ingest.batches"
        " WHERE batch_id = %(clean)s RETURNING batch_id",
        {"clean": clean},
    )
    batch: int = copied[0]["batch_id"]
    listed = ", ".join(column.name for column in use_case.columns)
    values = ", ".join(changes.get(column.name, column.name) for column in use_case.columns)
    landing = f"landing.{use_case.name}"
    partition = f"{landing}_changed_{batch}"
    warehouse.execute(f"CREATE TABLE {partition} PARTITION OF {landing} FOR VALUES IN ({batch})")
    source = f"SELECT {values}, {batch}, _row FROM {landing} WHERE _batch_id = {clean}"  # noqa: S608 - as above
    warehouse.execute(f"INSERT INTO {partition} ({listed}, _batch_id, _row) {source}")
    return _accept(warehouse, batch)


def _accept(warehouse: Warehouse, batch: int) -> int:
    accepted = "UPDATE ingest.batches SET status = 'accepted', quarantined = 0, current_since = now()"
    warehouse.execute(f"{accepted} WHERE batch_id = %(batch)s", {"batch": batch})
    with closing(psycopg2.connect(warehouse.dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            # Or the batch would be written to the disk beside whoever looks at it first.
            cursor.execute("CHECKPOINT")
    return batch


def _contract(use_case: UseCase) -> Any:
    from sluice.domain.contract import Contract, Input, Label, Limits, Lineage, Output

    return Contract(
        use_case=use_case.name,
        title=use_case.title,
        task=use_case.task,
        family="none",
        inputs=tuple(Input(name=c.name, type=c.type) for c in use_case.inputs if c.type != "timestamp"),
        output=Output(name=use_case.target, labels=tuple(Label(value=c, title=c) for c in use_case.classes)),
        limits=Limits(max_instances=1, missing="reject", unknown_fields="reject", unseen_category="ignore"),
        example=use_case.serving.example,
        metrics={},
        lineage=Lineage(run_id="", snapshot_id="", spec_sha256="", test_share=0.0, identity=()),
        libraries={},
        runtime_sha256="",
        trained_at="2026-01-01T00:00:00+00:00",
    )
