"""The use case: one folder, one spec, everything a model needs to know about itself."""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from sluice.domain.columns import Column
from sluice.domain.features import Features
from sluice.domain.frozen import Frozen, Name
from sluice.domain.policy import Gate, Monitoring, Quality, Serving
from sluice.domain.search import Training

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,]+@[^@\s,]+$")]


#: Names that a column cannot have, beside those that begin with an underscore.
RESERVED = frozenset({"prediction"})


class Owner(Frozen):
    """Who answers for the use case, and where its alerts go."""

    name: str = Field(min_length=1)
    alerts: tuple[Email, ...] = Field(min_length=1)


class Source(Frozen):
    """Where rows come from."""

    uri: str | None = None
    """A file path or an http(s) URL; where absent, the sample that ships with the use case."""
    format: Literal["csv"] = "csv"
    mode: Literal["append", "replace"] = "append"
    """`append`: every accepted batch counts; `replace`: each batch is a full extract, the newest counts."""
    real_data: str | None = None
    """File name of a public data set that tests and demos use where it is present."""


class Schedule(Frozen):
    """When each stage runs, as cron expressions in UTC; null for never by itself."""

    ingest: str | None = "0 1 * * *"
    train: str | None = "0 2 * * 0"
    monitor: str | None = "0 3 * * *"

    @field_validator("ingest", "train", "monitor")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        # Local: croniter is needed only here, and importing the domain must stay light.
        from croniter import croniter

        if value is not None and not croniter.is_valid(value):
            raise ValueError(f"{value!r} is not a cron expression such as '0 3 * * *'")
        return value


class UseCase(Frozen):
    """The spec of one model, from its source to its daily check."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
    """Lower-case; equal to the folder's name; names the DAGs, tables, model and endpoint."""
    title: str = Field(min_length=1)
    description: str = ""
    task: Literal["regression"]
    target: Name
    owner: Owner
    source: Source = Source()
    columns: tuple[Column, ...] = Field(min_length=2)
    quality: Quality = Quality()
    features: Features = Features()
    training: Training
    gate: Gate
    serving: Serving
    monitoring: Monitoring = Monitoring()
    schedule: Schedule = Schedule()

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that feed the model, in declared order."""
        return tuple(c for c in self.columns if c.role == "feature" and c.name != self.target)

    @property
    def target_column(self) -> Column:
        """The column the model predicts."""
        return self.column(self.target)

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that make two rows the same thing."""
        return self.training.split.identity or tuple(c.name for c in self.inputs)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(c for c in self.columns if c.name == name)

    def sha256(self) -> str:
        """Hex digest of everything the spec says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @model_validator(mode="after")
    def _names_refer_to_columns(self) -> Self:
        names = [c.name for c in self.columns]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ValueError(f"column {repeated[0]!r} is declared twice")
        reserved = [n for n in (*names, *(r.name for r in self.features.ratios)) if n in RESERVED or n.startswith("_")]
        if reserved:
            raise ValueError(f"the name {reserved[0]!r} is Sluice's own; choose another and give the `header`")
        _known("target", self.target, names)
        for part in self.identity:
            _known("training.split.identity", part, [n for n in names if n != self.target])
        numeric = [c.name for c in self.inputs if c.type in ("number", "integer")]
        for ratio in self.features.ratios:
            _known(f"features.ratios {ratio.name!r} numerator", ratio.numerator, numeric)
            _known(f"features.ratios {ratio.name!r} denominator", ratio.denominator, numeric)
            if ratio.name in names:
                raise ValueError(f"features.ratios: {ratio.name!r} is already a column")
        inputs = [c.name for c in self.inputs]
        if not inputs:
            raise ValueError("no column feeds the model; at least one beside the target needs `role: feature`")
        return self

    @model_validator(mode="after")
    def _example_keeps_to_the_columns(self) -> Self:
        inputs = [c.name for c in self.inputs]
        for field in self.serving.example:
            _known("serving.example", field, inputs)
        absent = [n for n in inputs if n not in self.serving.example]
        if absent:
            raise ValueError(f"serving.example lacks {absent[0]!r}; it must hold every input")
        for column in self.inputs:
            if not column.allows(self.serving.example[column.name]):
                value = self.serving.example[column.name]
                raise ValueError(f"serving.example: {value!r} is not a value that column {column.name!r} allows")
        return self

    @model_validator(mode="after")
    def _target_fits_the_task(self) -> Self:
        target = self.target_column
        if target.type not in ("number", "integer"):
            raise ValueError(f"target {target.name!r} is a {target.type}; regression needs a number or an integer")
        if target.nullable:
            raise ValueError(f"target {target.name!r} is nullable; a row without its target teaches nothing")
        if self.training.target_transform == "log" and not (target.range and target.range[0] >= 0):
            raise ValueError(f"target_transform 'log' needs a range on {target.name!r} that starts at 0 or above")
        return self


def _known(place: str, name: str, names: list[str]) -> None:
    if name in names:
        return
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
    raise ValueError(f"{place}: there is no column {name!r} it could use; {hint}")
