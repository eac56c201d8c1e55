"""The reader of a bundle's JSON files: what a release promises, its golden rows, its digests.

Written from `contract.schema.json` alone; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tabular.errors import BundleError
from tabular.ids import MOST_PLACES

Value = float | int | bool | str | None
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class Frozen(BaseModel):
    """A value that is checked once and never changes."""

    # JSON has no infinity and no NaN; Python's reader would let them in.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Input(Frozen):
    """One field of a request."""

    name: str
    type: Literal["number", "integer", "boolean", "category"]
    unit: str | None = None
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    nullable: bool = False
    sensitive: Literal["drop", "hash"] | None = None


class Label(Frozen):
    """One class, and what people call it."""

    value: str
    title: str


class Output(Frozen):
    """What is predicted: a number, or the probabilities of classes in the order of `labels`."""

    name: str
    unit: str | None = None
    labels: tuple[Label, ...] = ()
    positive: str | None = None


class Interval(Frozen):
    """Half width and declared bounds of the prediction interval; on the scale `log` it is that of log(1 + y)."""

    method: Literal["split_conformal"] = "split_conformal"
    level: float = Field(gt=0, lt=1)
    scale: Literal["identity", "log"] = "identity"
    half_width: float = Field(ge=0)
    minimum: float | None = None
    maximum: float | None = None
    coverage: float = Field(ge=0, le=1)


class PredictionSet(Frozen):
    """The least probability of a class in the prediction set."""

    method: Literal["split_conformal"] = "split_conformal"
    level: float = Field(gt=0, lt=1)
    threshold: float = Field(ge=0, le=1)
    coverage: float = Field(ge=0, le=1)
    mean_size: float = Field(ge=0)


class Limits(Frozen):
    """What one request may hold."""

    max_instances: int = Field(ge=1, le=MOST_PLACES)
    missing: Literal["reject", "impute"]
    unknown_fields: Literal["reject", "ignore"]
    unseen_category: Literal["most_frequent", "ignore", "reject"]


class Lineage(Frozen):
    """Where the release comes from."""

    run_id: str
    snapshot_id: str
    spec_sha256: str
    test_share: float
    identity: tuple[str, ...]
    git_commit: str | None = None
    code_sha256: str = ""


class Contract(Frozen):
    """What a release promises."""

    schema_version: Literal[2] = 2
    use_case: str
    title: str
    description: str = ""
    task: Literal["regression", "binary", "multiclass"]
    family: str
    inputs: tuple[Input, ...]
    output: Output
    interval: Interval | None = None
    prediction_set: PredictionSet | None = None
    limits: Limits
    example: dict[str, Value]
    metrics: dict[str, float]
    out_of_fold: dict[str, float] = {}
    lineage: Lineage
    libraries: dict[str, str]
    runtime_sha256: str
    trained_at: str


class Golden(Frozen):
    """Raw inputs with the graph's whole expected output for each."""

    relative: float = 1e-5
    absolute: float = 1e-8
    instances: tuple[dict[str, Value], ...] = Field(min_length=1)
    predictions: tuple[tuple[float, ...], ...]


class Manifest(Frozen):
    """The digests of the bundle's files."""

    files: dict[FileName, Sha256]


class Named(Frozen):
    """Which version should serve: `champion.json` in the object store, `release.json` in an image.

    What else stands there is for others.
    """

    model_config = ConfigDict(extra="ignore")

    version: int = Field(ge=1)


Document = TypeVar("Document", bound=Frozen)


def parse(kind: type[Document], text: bytes, name: str) -> Document:
    """Read one of the JSON documents above.

    Args:
        kind: Which one.
        text: The file's content.
        name: The file's name, for the error.

    Raises:
        BundleError: It is not what the schema says.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"{name} has {error.error_count()} faults, the first at {place or 'its root'}: {first['msg']}"
        raise BundleError(message) from None


def read(kind: type[Document], path: Path) -> Document:
    """Read one of the JSON documents above from its file.

    Raises:
        BundleError: There is no such file, or it is not what the schema says.
    """
    try:
        return parse(kind, path.read_bytes(), path.name)
    except FileNotFoundError:
        raise BundleError(f"{path.name} is missing") from None
