"""The use case: one folder, one spec, everything a model needs to know about itself."""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from sluice.domain.columns import Column
from sluice.domain.features import Features
from sluice.domain.frozen import Frozen, Name
from sluice.domain.measures import Metric, Task, default_metric, metrics_of
from sluice.domain.monitoring import Monitoring
from sluice.domain.policy import Direction, Fairness, Gate, Quality, Retention, Serving, Slice
from sluice.domain.search import Training

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,]+@[^@\s,]+$")]
#: The id of an Airflow connection, never an address.
ConnectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=250)]


#: Names that a column cannot have, beside those that begin with an underscore; Postgres has all but the first itself.
RESERVED = frozenset({"prediction", "cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})


class Owner(Frozen):
    """Who answers for the use case, and where its alerts go."""

    name: str = Field(min_length=1)
    alerts: tuple[Email, ...] = Field(min_length=1)
    webhooks: tuple[ConnectionName, ...] = ()
    """Airflow connections of chats that hear of every alert beside the mail; their addresses are secrets."""


class Source(Frozen):
    """Where rows come from."""

    uri: str | None = None
    """A file path or an http(s) or s3 URL; where absent, the sample that ships with the use case."""
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
    task: Task
    target: Name
    positive_label: str | None = None
    """The class that a binary model looks for, as the target column writes it."""
    labels: dict[str, str] = Field(default={})
    """What each class is called where people read it: class -> title."""
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
    retention: Retention = Retention()

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that feed the model, in declared order."""
        return tuple(c for c in self.columns if c.role == "feature" and c.name != self.target)

    @property
    def target_column(self) -> Column:
        """The column the model predicts."""
        return self.column(self.target)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the model's probabilities, the positive one last; none for a number."""
        if self.task == "regression":
            return ()
        known = self.target_column.categories or ("false", "true")
        return (*(c for c in known if c != self.positive_label), *(c for c in known if c == self.positive_label))

    @property
    def search_metric(self) -> Metric:
        """What the search improves."""
        return self.training.metric or default_metric(self.task)

    @property
    def change_metric(self) -> Metric:
        """What a candidate is compared with the champion by."""
        return self.gate.change.metric or default_metric(self.task)

    @property
    def performance_metric(self) -> Metric:
        """What a release is looked after by, once labels arrive."""
        return self.monitoring.performance.metric or self.change_metric

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
            raise ValueError(
                f"the name {reserved[0]!r} is Sluice's own or Postgres'; choose another and give the `header`"
            )
        _known("target", self.target, names)
        for part in self.identity:
            _known("training.split.identity", part, [n for n in names if n != self.target])
        inputs = [c.name for c in self.inputs]
        if not inputs:
            raise ValueError("no column feeds the model; at least one beside the target needs `role: feature`")
        return self

    @model_validator(mode="after")
    def _features_are_made_of_numbers(self) -> Self:
        numeric = [c.name for c in self.inputs if c.type in ("number", "integer")]
        declared = self.features
        parts: list[tuple[str, tuple[str, ...]]] = [
            (f"ratios {r.name!r}", (r.numerator, r.denominator)) for r in declared.ratios
        ]
        parts += [(f"rotations {r.name!r}", r.columns) for r in declared.rotations]
        parts += [(f"clusters {c.name!r}", c.columns) for c in declared.clusters]
        for place, columns in parts:
            for column in columns:
                _known(f"features.{place}", column, numeric)
        taken = [c.name for c in self.columns]
        made = [r.name for r in declared.ratios] + [r.name for r in declared.rotations]
        for name in (*made, *(c.name for c in declared.clusters)):
            if name in taken:
                raise ValueError(f"features: {name!r} is already the name of a column or of another feature")
            taken.append(name)
        return self

    @model_validator(mode="after")
    def _slices_are_of_columns(self) -> Self:
        places: list[tuple[str, Slice | Fairness]] = [("slices", s) for s in self.gate.slices]
        places += [("fairness", f) for f in self.gate.fairness]
        for place, part in places:
            _known(f"gate.{place}", part.column, [c.name for c in self.columns if c.type != "timestamp"])
            numeric = self.column(part.column).type in ("number", "integer")
            if numeric != bool(part.edges):
                wrong = "needs `edges`" if numeric else "has no `edges`: each of its values is a slice"
                raise ValueError(f"gate.{place}: {part.column!r} is a {self.column(part.column).type} and {wrong}")
        if self.gate.fairness and self.task != "binary":
            raise ValueError(f"gate.fairness judges models of two classes, and this one's task is {self.task}")
        return self

    @model_validator(mode="after")
    def _what_waits_is_kept(self) -> Self:
        if self.gate.approval == "required" and self.gate.approval_hours > 24 * self.retention.days:
            raise ValueError(
                f"gate.approval_hours: {self.gate.approval_hours:g} hours are longer than retention.days keeps "
                f"what waits for an answer ({self.retention.days})"
            )
        return self

    @model_validator(mode="after")
    def _behaviour_is_of_inputs(self) -> Self:
        for policy in self.gate.behaviour:
            place = f"gate.behaviour {policy.kind!r}"
            _known(place, policy.column, [c.name for c in self.inputs])
            if isinstance(policy, Direction):
                column = self.column(policy.column)
                if column.type not in ("number", "integer"):
                    raise ValueError(f"{place}: {policy.column!r} is a {column.type}; a direction needs a number")
                if policy.step == 0:
                    raise ValueError(f"{place}: a step of 0 for {policy.column!r} pushes nothing")
                if column.type == "integer" and policy.step != int(policy.step):
                    raise ValueError(f"{place}: {policy.column!r} is an integer, and a step of {policy.step} is none")
                if policy.label is None and self.task == "multiclass":
                    raise ValueError(f"{place}: name the `label` whose probability is looked at")
                if policy.label is not None and policy.label not in self.classes:
                    raise ValueError(f"{place}: {policy.label!r} is no class; there are: {', '.join(self.classes)}")
        return self

    @model_validator(mode="after")
    def _metrics_fit_the_task(self) -> Self:
        known = metrics_of(self.task)
        used = [("gate.thresholds", m) for m in self.gate.thresholds]
        used += [(f"gate.slices {s.column!r}", m) for s in self.gate.slices for m in s.thresholds]
        used += [("training.metric", self.search_metric), ("gate.change.metric", self.change_metric)]
        used += [("monitoring.performance.metric", self.performance_metric)]
        for place, metric in used:
            if metric not in known:
                raise ValueError(f"{place}: {metric!r} cannot judge a {self.task}; use one of: {', '.join(known)}")
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
    def _target_may_be_logged(self) -> Self:
        if self.target_column.sensitive:
            raise ValueError(f"target: {self.target!r} is predicted; only what feeds the model is `sensitive`")
        return self

    @model_validator(mode="after")
    def _target_fits_the_task(self) -> Self:
        target = self.target_column
        if target.nullable:
            raise ValueError(f"target: {target.name!r} is nullable; a row without its target teaches nothing")
        if self.task == "regression":
            _refuse_class_settings(self)
            if target.type not in ("number", "integer"):
                raise ValueError(f"target: {target.name!r} is a {target.type}; regression needs a number or an integer")
            if self.training.target_transform == "log" and not (target.range and target.range[0] >= 0):
                raise ValueError(
                    f"training.target_transform: 'log' needs a range on {target.name!r} that starts at 0 or above"
                )
            return self
        if target.type not in ("category", "boolean"):
            raise ValueError(f"target: {target.name!r} is a {target.type}; classes need a category or a boolean")
        if self.training.target_transform != "none":
            raise ValueError(f"training.target_transform: {self.training.target_transform!r} is for regression only")
        count = len(self.classes)
        if self.task == "binary" and (count != 2 or self.positive_label not in self.classes):
            known = ", ".join(target.categories or ("false", "true"))
            raise ValueError(f"task: binary needs two classes and `positive_label` as one of them; there are: {known}")
        if self.task == "multiclass" and (count < 3 or self.positive_label is not None):
            raise ValueError(f"task: multiclass needs three classes or more, and no `positive_label`; it has {count}")
        for label in self.labels:
            _known("labels", label, list(self.classes))
        return self


def _refuse_class_settings(use_case: UseCase) -> None:
    if use_case.positive_label is not None or use_case.labels or use_case.training.calibrate != "none":
        raise ValueError(
            "task: `positive_label`, `labels` and `training.calibrate` are for classes, not for regression"
        )
    if "logistic_regression" in use_case.training.families:
        raise ValueError("training.families.logistic_regression: this family predicts classes; for a number use ridge")


def _known(place: str, name: str, names: list[str]) -> None:
    if name in names:
        return
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
    raise ValueError(f"{place}: there is no column {name!r} it could use; {hint}")
