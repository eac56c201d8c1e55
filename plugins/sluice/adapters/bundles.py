"""Bundles: releases written, verified and scored. The folder is the seam between training and serving."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from sluice.adapters import histograms as counting
from sluice.adapters.graphs import Graph, Scores
from sluice.domain.contract import BUNDLE_FILES, MANIFEST, OPTIONAL_FILES, Contract, Golden, Manifest
from sluice.domain.errors import BundleError
from sluice.domain.histograms import Histograms

if TYPE_CHECKING:
    import pandas as pd

Instance = Mapping[str, float | int | bool | str | None]


@dataclass(frozen=True)
class Bundle:
    """A release bundle whose every digest was verified.

    Attributes:
        folder: Where it is.
        sha256: Hex digest of its manifest; names the bundle.
        manifest: The digests of its files.
        contract: What it promises.
        golden: Raw inputs with the outputs that are expected.
    """

    folder: Path
    sha256: str
    manifest: Manifest
    contract: Contract
    golden: Golden

    @property
    def model_sha256(self) -> str:
        """Hex digest of the graph alone: the same for two trainings that learned the same."""
        return self.manifest.files["model.onnx"]

    @cached_property
    def graph(self) -> Graph:
        """The model, loaded once."""
        return Graph((self.folder / "model.onnx").read_bytes())

    def reference(self) -> pd.DataFrame:
        """Training rows that drift checks compare with: inputs, target and `prediction`."""
        import pandas as pd

        return pd.read_parquet(self.folder / "reference.parquet")

    def histograms(self) -> Histograms:
        """How the values of all training rows lie; of an older release those of its `reference`.

        Raises:
            BundleError: The file does not say what it must.
        """
        path = self.folder / "histograms.json"
        if path.name not in self.manifest.files:
            return counting.freeze(self.contract, self.reference())
        try:
            return Histograms.model_validate_json(_content(self.folder, path.name))
        except ValidationError as error:
            raise BundleError(f"histograms that cannot be read: {error}", str(path), "train again") from error

    def unseen(self) -> pd.DataFrame | None:
        """What was said of rows that no training saw, beside what was true; None for an older release.

        Columns: `actual`, a number or the position of a class; then `said`, the number, or `said_0` and so on, the
        probability of each class.
        """
        import pandas as pd

        path = self.folder / "unseen.parquet"
        return pd.read_parquet(path) if path.name in self.manifest.files else None


@dataclass(frozen=True)
class Parity:
    """How well a graph agrees with the outputs expected of it.

    Attributes:
        excess: Largest |p - y| / (relative * |y| + absolute) over the rows; NaN where an answer is no number.
        rows: How many rows were compared.
    """

    excess: float
    rows: int

    @property
    def holds(self) -> bool:
        """Whether every answer is within its tolerance."""
        return self.rows > 0 and self.excess <= 1


def write(
    folder: Path,
    model: bytes,
    contract: Contract,
    golden: Golden,
    reference: pd.DataFrame,
    unseen: pd.DataFrame | None = None,
    histograms: Histograms | None = None,
) -> Bundle:
    """Write a bundle and read it back.

    Args:
        folder: Made if it is not there; what else it holds stays.
        model: The graph.
        contract: What the release promises.
        golden: Raw inputs with expected outputs.
        reference: As `Bundle.reference` returns it.
        unseen: As `Bundle.unseen` returns it.
        histograms: As `Bundle.histograms` returns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    (folder / "contract.json").write_text(contract.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / "golden.json").write_text(golden.model_dump_json() + "\n", encoding="utf-8")
    reference.to_parquet(folder / "reference.parquet", index=False)
    names: tuple[str, ...] = BUNDLE_FILES
    if unseen is not None:
        unseen.to_parquet(folder / "unseen.parquet", index=False)
        names += ("unseen.parquet",)
    if histograms is not None:
        (folder / "histograms.json").write_text(histograms.model_dump_json() + "\n", encoding="utf-8")
        names += ("histograms.json",)
    manifest = Manifest(files={name: digest((folder / name).read_bytes()) for name in names})
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return read(folder)


def read(folder: Path) -> Bundle:
    """Read a bundle and verify every digest.

    Raises:
        BundleError: A file is missing, altered, or does not say what it must.
    """
    sealed = _content(folder, MANIFEST)
    try:
        manifest = listed(sealed, str(folder / MANIFEST))
        for name in manifest.files:
            if digest(_content(folder, name)) != manifest.files[name]:
                raise BundleError("a file of the bundle was altered", str(folder / name), "fetch it anew")
        contract = Contract.model_validate_json(_content(folder, "contract.json"))
        golden = Golden.model_validate_json(_content(folder, "golden.json"))
    except ValidationError as error:
        raise BundleError(f"the bundle does not say what it must: {error}", str(folder), "train again") from error
    if len(golden.instances) != len(golden.predictions):
        raise BundleError("golden rows and their outputs differ in number", str(folder / "golden.json"), "train again")
    return Bundle(folder, digest(sealed), manifest, contract, golden)


def listed(sealed: bytes, place: str) -> Manifest:
    """What a manifest says, if it lists all that a bundle must hold and nothing that it may not.

    Args:
        sealed: The manifest's content.
        place: Where it is, for messages.

    Raises:
        BundleError: It does not.
    """
    try:
        manifest = Manifest.model_validate_json(sealed)
    except ValidationError as error:
        raise BundleError(f"the bundle does not say what it must: {error}", place, "train again") from error
    if not set(BUNDLE_FILES) <= set(manifest.files) <= {*BUNDLE_FILES, *OPTIONAL_FILES}:
        raise BundleError(
            f"the manifest lists {', '.join(sorted(manifest.files)) or 'nothing'}",
            place,
            f"a bundle holds {', '.join(BUNDLE_FILES)}; train again",
        )
    return manifest


def score(bundle: Bundle, frame: pd.DataFrame) -> Scores:
    """Score raw rows; see `Graph.predict`."""
    return bundle.graph.predict(frame)


def parity(bundle: Bundle) -> Parity:
    """Compare a bundle's graph with its golden rows."""
    golden = bundle.golden
    predicted = score(bundle, frame(golden.instances, (i.name for i in bundle.contract.inputs)))
    expected = np.asarray(golden.predictions).reshape(predicted.shape)
    return agreement(expected, predicted, golden.relative, golden.absolute)


def agreement(expected: Scores, predicted: Scores, relative: float, absolute: float) -> Parity:
    """Compare answers with what was expected of them.

    Args:
        expected: Shape (rows,) or (rows, outputs).
        predicted: The same shape.
        relative: Tolerance as a share of the expected value.
        absolute: Tolerance in the target's unit.
    """
    # The same infinity on both sides agrees, although the difference is no number.
    with np.errstate(invalid="ignore"):
        gap = np.where(expected == predicted, 0.0, np.abs(predicted - expected))
        excess = gap / (relative * np.abs(expected) + absolute)
    # `max` keeps a NaN, so that an answer that is no number never agrees.
    return Parity(float(excess.max()) if excess.size else float("nan"), len(excess))


def frame(instances: Iterable[Instance], columns: Iterable[str]) -> pd.DataFrame:
    """Instances as the raw rows that `score` takes."""
    import pandas as pd

    return pd.DataFrame.from_records([dict(i) for i in instances], columns=list(columns))


def digest(content: bytes) -> str:
    """Sha256, hex."""
    return hashlib.sha256(content).hexdigest()


def runtime_sha256(service: Path) -> str:
    """Digest of the serving code and its locked requirements; a running service computes the same of itself.

    Args:
        service: Folder of the serving code. What counts: its modules, `pages/*`, `requirements.txt`,
            `contract.schema.json`.
    """
    paths = [*service.glob("**/*.py"), *service.glob("pages/*")]
    found = [path.relative_to(service).as_posix() for path in paths]
    names = sorted([*found, "contract.schema.json", "requirements.txt"])
    runtime = hashlib.sha256()
    for name in names:
        runtime.update(name.encode() + b"\0" + hashlib.sha256(_content(service, name)).digest())
    return runtime.hexdigest()


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BundleError(f"{name} cannot be read: {error.strerror}", str(folder / name), "fetch it anew") from error
