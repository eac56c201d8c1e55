"""Rights: what a person may see of a use case, which follows from the DAGs that Airflow lets them read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

#: Who may read a stage's DAG may read what the stage has written down.
Stage = Literal["ingest", "train", "promote", "monitor"]
STAGES: tuple[Stage, ...] = ("ingest", "train", "promote", "monitor")

#: For each use case that a person may see anything of, the stages they may read.
Rights = Mapping[str, frozenset[Stage]]


class Person(Protocol):
    """Somebody who reads."""

    def readable(self, dag_ids: Iterable[str]) -> set[str]: ...

    def may_see_platform(self) -> bool: ...

    def may_read_connection(self, conn_id: str) -> bool: ...


def of(person: Person, use_cases: Iterable[str]) -> Rights:
    """What a person may see of some use cases; those that they may see nothing of are left out."""
    dags = {name: {f"{name}_{stage}": stage for stage in STAGES} for name in use_cases}
    readable = person.readable(dag_id for known in dags.values() for dag_id in known)
    found = {name: frozenset(known[dag_id] for dag_id in known.keys() & readable) for name, known in dags.items()}
    return {name: some for name, some in found.items() if some}
