"""The contract: what a release promises its callers, as written to `contract.json` in the bundle.

The reader in `bentos/` shares no code with this module; `contract.schema.json` is generated from here and
tested against both sides.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.domain.columns import Sensitive
from sluice.domain.frozen import Frozen
from sluice.domain.measures import Task
from sluice.domain.policy import MOST_INSTANCES

#: The files of a release bundle, beside `manifest.json` which holds their digests.
BUNDLE_FILES = ("model.onnx", "contract.json", "golden.json", "reference.parquet")
#: What it may hold besides; what was released before there was such a file does without.
OPTIONAL_FILES = ("unseen.parquet", "histograms.json")
MANIFEST = "manifest.json"


class Input(Frozen):
    """One field of a request.

    In the graph, numbers, integers and booleans are double tensors of shape (rows, 1) with NaN for missing;
    categories are string tensors of shape (rows, 1) with "" for missing.
    """

    name: str
    type: Literal["number", "integer", "boolean", "category"]
    unit: str | None = None
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    nullable: bool = False
    sensitive: Sensitive | None = None
    """What the prediction log keeps of its values: nothing, or a keyed hash; the values themselves where absent."""


class Label(Frozen):
    """One class: the value that the target column holds, and what people call it."""

    value: str
    title: str


class Output(Frozen):
    """What is predicted: the graph's `prediction`, a double tensor.

    A number has the shape (rows, 1), in `unit`. Classes have the shape (rows, classes): their probabilities, in
    the order of `labels`; the predicted class is the most probable one, the first of equals.
    """

    name: str
    unit: str | None = None
    labels: tuple[Label, ...] = ()
    """The classes; none for a number."""
    positive: str | None = None
    """The class that a binary model looks for: the last of `labels`."""


class Interval(Frozen):
    """A split-conformal prediction interval: it covers `level` of new rows.

    On the scale `identity` it is prediction ± half width. On the scale `log` it is
    exp(log(1 + prediction) ± half width) - 1, which is wider where the prediction is larger.
    Source: Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, "Distribution-Free Predictive Inference for
    Regression", JASA 2018.
    """

    method: Literal["split_conformal"] = "split_conformal"
    level: float = Field(gt=0, lt=1)
    scale: Literal["identity", "log"] = "identity"
    half_width: float = Field(ge=0)
    minimum: float | None = None
    """The target's declared range cuts the interval."""
    maximum: float | None = None
    coverage: float = Field(ge=0, le=1)
    """Share of held-out rows that the interval covered."""


class PredictionSet(Frozen):
    """A split-conformal prediction set: the classes that hold the true one for `level` of new rows.

    It holds the most probable class, and every class whose probability is at least `threshold`.
    Source: Sadinle, Lei, Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels",
    JASA 2019.
    """

    method: Literal["split_conformal"] = "split_conformal"
    level: float = Field(gt=0, lt=1)
    threshold: float = Field(ge=0, le=1)
    coverage: float = Field(ge=0, le=1)
    """Share of held-out rows whose class was in the set."""
    mean_size: float = Field(ge=0)
    """Classes in a set, on average over the held-out rows."""


class Limits(Frozen):
    """What one request may hold."""

    max_instances: int = Field(ge=1, le=MOST_INSTANCES)
    missing: Literal["reject", "impute"]
    unknown_fields: Literal["reject", "ignore"]
    unseen_category: Literal["most_frequent", "ignore", "reject"]


class Lineage(Frozen):
    """Where the release comes from."""

    run_id: str
    snapshot_id: str
    spec_sha256: str
    test_share: float
    """Share of rows that were kept out of training."""
    identity: tuple[str, ...]
    """Columns whose hash decided which rows those were."""
    git_commit: str | None = None
    code_sha256: str = ""
    """Digest of the training code and of the locked requirements."""


class Contract(Frozen):
    """What a release promises."""

    schema_version: Literal[2] = 2
    use_case: str
    title: str
    description: str = ""
    task: Task
    family: str
    inputs: tuple[Input, ...]
    output: Output
    interval: Interval | None = None
    """For a number, where enough rows were there to measure it."""
    prediction_set: PredictionSet | None = None
    """For classes, where enough rows were there to measure it."""
    limits: Limits
    example: dict[str, float | int | bool | str | None]
    metrics: dict[str, float]
    """Measured on held-out rows at training time."""
    out_of_fold: dict[str, float] = Field(default={})
    """Measured out of repeated folds over the training rows, where held-out rows are few."""
    lineage: Lineage
    libraries: dict[str, str]
    runtime_sha256: str
    """Digest of the serving code and its locked requirements; a service swaps only to its own."""
    trained_at: str


class Golden(Frozen):
    """Raw inputs with the outputs the fitted model gave for them, for parity checks anywhere.

    An output p agrees with the expected y when |p - y| <= relative * |y| + absolute.
    """

    relative: float = 1e-5
    absolute: float = 1e-8
    instances: tuple[dict[str, float | int | bool | str | None], ...]
    predictions: tuple[tuple[float, ...], ...]
    """The graph's whole output for each row: one number, or a probability for each class."""


class Manifest(Frozen):
    """The digests of the bundle's files; its own digest names the bundle."""

    files: dict[str, str]
    """File name -> sha256, hex."""
