"""A release bundle: checked against its digests and its golden rows, then ready to predict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from tabular.errors import BundleError, RuntimeMismatchError
from tabular.releases import contract as documents
from tabular.releases import outputs
from tabular.releases.contract import Contract, Golden, Manifest
from tabular.releases.outputs import Outputs
from tabular.releases.schema import Schema

#: Every bundle holds these, beside the manifest.
REQUIRED = frozenset({"model.onnx", "contract.json", "golden.json"})
MANIFEST = "manifest.json"
OUTPUT = "prediction"

Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Bundle:
    """What one release needs to answer.

    Attributes:
        sha256: Digest of the manifest, which names the bundle.
    """

    sha256: str
    contract: Contract
    schema: Schema
    outputs: Outputs
    session: ort.InferenceSession

    def predict(self, tensors: Tensors) -> npt.NDArray[np.float64]:
        """Predict.

        Args:
            tensors: One array of shape (rows, 1) per input.

        Returns:
            Shape (rows, outputs): one number, or the probabilities of the contract's classes.
        """
        (scored,) = self.session.run([OUTPUT], tensors)
        predictions: npt.NDArray[np.float64] = scored
        return predictions


def load(folder: Path, use_case: str, runtime_sha256: str) -> Bundle:
    """Read a bundle, and refuse one that could answer wrongly.

    Args:
        folder: Holds the files of the bundle.
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.

    Raises:
        BundleError: A file is missing, altered or at odds with the contract, or a golden row comes out wrong.
        RuntimeMismatchError: The bundle was tested with other serving code.
    """
    digest = verify(folder)
    contract = documents.read(Contract, folder / "contract.json")
    if contract.use_case != use_case:
        raise BundleError(f"the bundle is for {contract.use_case!r}, this service is for {use_case!r}")
    if contract.runtime_sha256 != runtime_sha256:
        raise RuntimeMismatchError(f"needs runtime {contract.runtime_sha256[:12]}, this is {runtime_sha256[:12]}")
    golden = documents.read(Golden, folder / "golden.json")
    session = _session(folder / "model.onnx")
    bundle = Bundle(digest, contract, Schema(contract), outputs.of(contract), session)
    _check_signature(bundle)
    _check_parity(bundle, golden)
    return bundle


def verify(folder: Path) -> str:
    """Compare every file with the digest in the manifest, and return the manifest's own.

    Raises:
        BundleError: A file is missing or altered.
    """
    manifest = documents.read(Manifest, folder / MANIFEST)
    if missing := REQUIRED - manifest.files.keys():
        raise BundleError(f"{MANIFEST} does not name {', '.join(sorted(missing))}")
    for name, expected in manifest.files.items():
        if not (folder / name).is_file():
            raise BundleError(f"{name} is missing")
        if _sha256(folder / name) != expected:
            raise BundleError(f"{name} is not the file that {MANIFEST} names: its digest differs")
    return _sha256(folder / MANIFEST)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # Requests run side by side; threads that spin inside each would only take the cores from one another.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    # The runtime's own errors share no base class but this one.
    except Exception as error:
        raise BundleError(f"model.onnx cannot be loaded: {_first_line(error)}") from error


def _check_signature(bundle: Bundle) -> None:
    types = {"category": "tensor(string)"}
    promised = {field.name: types.get(field.type, "tensor(double)") for field in bundle.contract.inputs}
    actual = {node.name: node.type for node in bundle.session.get_inputs()}
    if promised != actual:
        odd = sorted(name for name in promised.keys() | actual.keys() if promised.get(name) != actual.get(name))
        raise BundleError(f"the graph's inputs are not the contract's: {', '.join(odd)}")
    given = {node.name: node.type for node in bundle.session.get_outputs()}
    if given.get(OUTPUT) != "tensor(double)":
        raise BundleError(f"the graph has no output {OUTPUT!r} of doubles")


def _check_parity(bundle: Bundle, golden: Golden) -> None:
    if len(golden.instances) != len(golden.predictions):
        raise BundleError("golden.json has not one prediction for each instance")
    try:
        actual = bundle.predict(bundle.schema.tensors(bundle.schema.rows(golden.instances)))
    # A graph that fails, in whichever way, on rows it was built for is not served.
    except Exception as error:
        raise BundleError(f"the graph fails on the golden rows: {_first_line(error)}") from error
    shape = (len(golden.instances), bundle.outputs.width)
    if actual.shape != shape:
        raise BundleError(f"the graph's outputs have the shape {actual.shape}, the contract's {shape}")
    if {len(row) for row in golden.predictions} != {bundle.outputs.width}:
        raise BundleError(f"golden.json has rows of other than {bundle.outputs.width} outputs")
    unusable = ~bundle.outputs.usable(actual)
    if unusable.any():
        row = int(np.argmax(unusable))
        what = "probabilities that sum to 1" if bundle.contract.output.labels else "a finite number"
        raise BundleError(f"the graph answers golden row {row} by {_some(actual[row])}, which is not {what}")
    expected = np.array(golden.predictions)
    wrong = (np.abs(actual - expected) > golden.relative * np.abs(expected) + golden.absolute).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BundleError(
            f"parity: {int(wrong.sum())} of {len(expected)} golden rows come out wrong, "
            f"row {row} as {_some(actual[row])} for {_some(expected[row])}"
        )


def _some(row: npt.NDArray[np.float64]) -> str:
    """A row's outputs in words, the first few of many."""
    return ", ".join(repr(value) for value in row[:5].tolist()) + (", ..." if len(row) > 5 else "")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
