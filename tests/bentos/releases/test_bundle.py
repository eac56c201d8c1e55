"""A bundle is served only when its files, its graph and its golden rows all hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sluice.adapters import bundles as adapters
from tabular.errors import BundleError, RuntimeMismatchError
from tabular.releases import bundle
from tabular.runtime import runtime_sha256
from tabular.settings import PACKAGE
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe, predict

Row = tuple[float, float]

RUNTIME = runtime_sha256(PACKAGE)


def load(folder: Path) -> bundle.Bundle:
    return bundle.load(folder, USE_CASE, RUNTIME)


def test_a_good_bundle_predicts_what_its_graph_computes(tmp_path: Path) -> None:
    loaded = load(bundles.write(tmp_path))
    rows = loaded.schema.rows([EXAMPLE, EXAMPLE | {"rooms": None}])
    predictions = loaded.predict(loaded.schema.tensors(rows))
    assert predictions.tolist() == [[predict(EXAMPLE, 100.0)], [predict(EXAMPLE | {"rooms": None}, 100.0)]]
    assert predictions.dtype == np.float64


@pytest.mark.parametrize("recipe", [bundles.BINARY, bundles.MULTICLASS], ids=["two", "three"])
def test_a_good_bundle_of_classes_gives_their_probabilities(tmp_path: Path, recipe: Recipe) -> None:
    loaded = load(bundles.write(tmp_path, recipe))
    predictions = loaded.predict(loaded.schema.tensors(loaded.schema.rows([EXAMPLE])))
    np.testing.assert_allclose(predictions, [bundles.outputs(EXAMPLE, recipe)], rtol=1e-12)


def test_its_name_is_the_digest_of_its_manifest(tmp_path: Path) -> None:
    assert bundle.verify(bundles.write(tmp_path / "a")) == bundle.verify(bundles.write(tmp_path / "b"))
    assert bundle.verify(tmp_path / "a") != bundle.verify(bundles.write(tmp_path / "c", Recipe(base=1)))


def edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_text(change((folder / name).read_text(errors="replace")))
        bundles.seal(folder)

    return apply


def manifest(change: Callable[[dict[str, str]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        document = json.loads((folder / "manifest.json").read_text())
        change(document["files"])
        (folder / "manifest.json").write_text(json.dumps(document))

    return apply


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json is missing"),
    "manifest is not JSON": (lambda f: (f / "manifest.json").write_text("{"), "manifest.json has 1 faults"),
    "manifest names a file outside": (manifest(lambda m: m.update({"../x": "0" * 64})), "manifest.json has 1 faults"),
    "manifest without the graph": (manifest(lambda m: m.pop("model.onnx")), "does not name model.onnx"),
    "file missing": (lambda f: (f / "golden.json").unlink(), "golden.json is missing"),
    "file altered": (lambda f: (f / "reference.parquet").write_bytes(b""), "reference.parquet is not the file"),
    "contract is wrong": (edit("contract.json", lambda t: t.replace('"income"', "1", 1)), "contract.json has"),
    "other use case": (edit("contract.json", lambda t: t.replace('"rents"', '"flats"', 1)), "is for 'flats'"),
    "graph is no graph": (edit("model.onnx", lambda _: "nonsense"), "model.onnx cannot be loaded"),
    "input has another type": (
        edit("contract.json", lambda t: t.replace('"boolean"', '"category"')),
        "the graph's inputs are not the contract's: furnished",
    ),
    "input has another name": (
        edit("contract.json", lambda t: t.replace('"name": "rooms"', '"name": "halls"')),
        "the graph's inputs are not the contract's: halls, rooms",
    ),
    "a golden row comes out wrong": (edit("golden.json", lambda t: t.replace("155.0", "155.1")), "row 0 as"),
    "golden rows and predictions differ in number": (
        edit("golden.json", lambda t: t.replace("[155.0], ", "")),
        "not one prediction for each instance",
    ),
    "golden rows of another width": (
        edit("golden.json", lambda t: t.replace("[155.0]", "[155.0, 0.0]")),
        "golden.json has rows of other than 1 outputs",
    ),
    "no golden rows": (edit("golden.json", lambda _: '{"instances": [], "predictions": []}'), "golden.json has"),
    "a golden row holds what the graph cannot take": (
        edit("golden.json", lambda t: t.replace("8.5", '"high"')),
        "the graph fails on the golden rows",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_bundle_is_refused_in_words(tmp_path: Path, name: str) -> None:
    spoil, message = SPOILT[name]
    spoil(bundles.write(tmp_path))
    with pytest.raises(BundleError) as caught:
        load(tmp_path)
    assert message in str(caught.value)


#: Name: (old text and new text in contract.json, message).
CONTRADICTIONS: dict[str, tuple[str, str, str]] = {
    "fewer classes than outputs": ('{"value": "middle", "title": "Fair"}, ', "", "not three classes or more"),
    "more classes than outputs": (
        '{"value": "middle", ',
        '{"value": "rare", "title": "Rare"}, {"value": "middle", ',
        "the graph's outputs have the shape (2, 3), the contract's (2, 4)",
    ),
    "a class twice": ('"value": "middle"', '"value": "low"', "names a class twice"),
    "a class without a value": ('"value": "middle"', '"value": ""', "one without a value"),
    "a positive one of three": ('"positive": null', '"positive": "high"', "none positive"),
    "two classes expected": ('"multiclass"', '"binary"', "not two classes with the positive one last"),
    "a number expected": ('"multiclass"', '"regression"', "promises a number, and classes"),
    "an interval": (
        '"interval": null',
        '"interval": {"level": 0.9, "half_width": 1.0, "coverage": 0.9}',
        "promises classes, and an interval too",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contract_of_classes_that_contradicts_itself_or_its_graph_is_refused(tmp_path: Path, name: str) -> None:
    old, new, message = CONTRADICTIONS[name]
    folder = bundles.write(tmp_path, bundles.MULTICLASS)
    assert old in (folder / "contract.json").read_text()
    edit("contract.json", lambda text: text.replace(old, new))(folder)
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert message in str(caught.value)


def test_the_positive_class_is_the_last(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, bundles.BINARY)
    edit("contract.json", lambda text: text.replace('"positive": "Y"', '"positive": "N"'))(folder)
    with pytest.raises(BundleError, match="the positive one last"):
        load(folder)


def constant(*row: float) -> bytes:
    """A graph that answers every row alike, whatever the contract says of it."""
    graph = onnx.load_from_string(bundles.graph(Recipe(labels={str(index): "" for index in range(len(row))})))
    del graph.graph.node[-1]
    zeros = helper.make_node("Mul", ["logits", "nothing"], ["flat"])
    graph.graph.node.extend([zeros, helper.make_node("Add", ["flat", "row"], ["prediction"])])
    tensors = {"nothing": np.array(0.0), "row": np.array([row])}
    graph.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    content: bytes = graph.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ((0.25, 0.75), None),
        ((-1e-10, 1 + 1e-10), None),
        ((0.25, 0.75 + 9e-7), None),
        ((0.25, 0.75 + 2e-6), "0.25, 0.750002, which is not probabilities that sum to 1"),
        ((-0.001, 1.001), "-0.001, 1.001, which"),
        ((float("nan"), 1.0), "nan, 1.0, which"),
        ((float("inf"), 0.0), "inf, 0.0, which"),
    ],
    ids=["fair", "rounded", "sum is rounded", "sum is off", "out of range", "NaN", "infinity"],
)
def test_outputs_that_are_no_probabilities_are_refused(tmp_path: Path, row: Row, fault: str | None) -> None:
    folder = bundles.write(tmp_path, bundles.BINARY)
    (folder / "model.onnx").write_bytes(constant(*row))
    golden = json.loads((folder / "golden.json").read_text())
    told = [list(row) if fault is None else [0.25, 0.75]] * 2
    (folder / "golden.json").write_text(json.dumps(golden | {"predictions": told}))
    bundles.seal(folder)
    if fault is None:
        assert load(folder).contract.task == "binary"
        return
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert f"the graph answers golden row 0 by {fault}" in str(caught.value)


def test_a_golden_row_is_compared_in_every_output(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, bundles.MULTICLASS)
    golden = json.loads((folder / "golden.json").read_text())
    golden["predictions"][1][2] += 1e-4
    (folder / "golden.json").write_text(json.dumps(golden))
    bundles.seal(folder)
    with pytest.raises(BundleError, match="parity: 1 of 2 golden rows come out wrong, row 1 as "):
        load(folder)


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path)
    (folder / "model.onnx").write_bytes(bundles.graph(Recipe(base=float("nan"))))
    bundles.seal(folder)
    with pytest.raises(BundleError, match="golden row 0 by nan, which is not a finite number"):
        load(folder)


def test_golden_rows_hold_within_the_tolerance_that_they_name(tmp_path: Path) -> None:
    loaded = load(bundles.write(tmp_path, Recipe(claims=155.0 * (1 + 0.9e-5))))
    assert loaded.contract.use_case == USE_CASE


def test_a_bundle_for_other_serving_code_is_told_from_a_spoilt_one(tmp_path: Path) -> None:
    with pytest.raises(RuntimeMismatchError, match="needs runtime aaaaaaaaaaaa, this is"):
        load(bundles.write(tmp_path, Recipe(runtime_sha256="a" * 64)))


def test_the_runtime_hash_covers_code_pages_lock_and_schema_and_nothing_else(tmp_path: Path) -> None:
    files = {"service.py": "a", "web/card.py": "b", "pages/card.js": "c", "requirements.txt": "d"}
    files["contract.schema.json"] = "{}"
    for folder in ("web", "pages"):
        (tmp_path / folder).mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = runtime_sha256(tmp_path)
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "requirements.in").write_text("wishes")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "log.cpython-311.pyc").write_text("cached")
    assert runtime_sha256(tmp_path) == before
    digests = {before}
    for name in files:
        (tmp_path / name).write_text("changed")
        digests.add(runtime_sha256(tmp_path))
    (tmp_path / "new.py").write_text("")
    digests.add(runtime_sha256(tmp_path))
    assert len(digests) == len(files) + 2


def test_what_builds_a_release_computes_the_same_runtime_hash() -> None:
    assert adapters.runtime_sha256(PACKAGE) == RUNTIME
