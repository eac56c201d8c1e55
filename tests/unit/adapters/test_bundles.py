from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper

from sluice.adapters import bundles, histograms
from sluice.adapters.bundles import Bundle
from sluice.domain.contract import BUNDLE_FILES, Contract, Golden, Input, Limits, Lineage, Output
from sluice.domain.errors import BundleError
from tabular.runtime import runtime_sha256 as as_the_service_computes_it

CONTRACT = Contract(
    use_case="tea",
    title="Tea",
    task="regression",
    family="ridge",
    inputs=(
        Input(name="grams", type="number"),
        Input(name="hot", type="boolean", nullable=True),
        Input(name="kind", type="category", categories=("green", "black"), nullable=True),
    ),
    output=Output(name="strength"),
    limits=Limits(max_instances=10, missing="impute", unknown_fields="reject", unseen_category="ignore"),
    example={"grams": 2.0, "hot": True, "kind": "green"},
    metrics={"r2": 0.9},
    lineage=Lineage(run_id="r", snapshot_id="s", spec_sha256="0" * 64, test_share=0.2, identity=("grams",)),
    libraries={},
    runtime_sha256="0" * 64,
    trained_at="2026-01-01T00:00:00+00:00",
)
GOLDEN = Golden(
    instances=(
        {"grams": 2.0, "hot": True, "kind": "black"},
        {"grams": 3.5, "hot": False, "kind": None},
        {"grams": 1.0, "hot": None, "kind": "green"},
    ),
    predictions=((103.0,), (3.5,), (8.0,)),
)


def graph() -> bytes:
    """Grams, and 1 for hot or 7 where that is not known, and 100 for black tea."""
    double = TensorProto.DOUBLE

    def column(name: str, kind: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, ["rows", 1])

    constants = [
        helper.make_tensor("seven", double, [1, 1], [7.0]),
        helper.make_tensor("hundred", double, [1, 1], [100.0]),
        helper.make_tensor("black", TensorProto.STRING, [1, 1], [b"black"]),
    ]
    nodes = [
        helper.make_node("IsNaN", ["hot"], ["unknown"]),
        helper.make_node("Where", ["unknown", "seven", "hot"], ["warmth"]),
        helper.make_node("Equal", ["kind", "black"], ["is_black"]),
        helper.make_node("Cast", ["is_black"], ["as_number"], to=double),
        helper.make_node("Mul", ["as_number", "hundred"], ["colour"]),
        helper.make_node("Sum", ["grams", "warmth", "colour"], ["prediction"]),
    ]
    inputs = [column("grams", double), column("hot", double), column("kind", TensorProto.STRING)]
    body = helper.make_graph(nodes, "tea", inputs, [column("prediction", double)], constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    reference = pd.DataFrame({"grams": [1.0], "hot": [True], "kind": ["green"], "strength": [2.0], "prediction": [2.0]})
    return bundles.write(tmp_path / "bundle", graph(), CONTRACT, GOLDEN, reference)


def test_what_is_written_is_read_back(bundle: Bundle) -> None:
    again = bundles.read(bundle.folder)
    assert again == bundle
    assert (again.contract, again.golden) == (CONTRACT, GOLDEN)
    assert list(again.reference()) == ["grams", "hot", "kind", "strength", "prediction"]


def test_a_bundle_is_named_by_its_manifest_and_its_model_by_the_graph(bundle: Bundle) -> None:
    assert bundle.sha256 == hashlib.sha256((bundle.folder / "manifest.json").read_bytes()).hexdigest()
    assert bundle.model_sha256 == hashlib.sha256(graph()).hexdigest()


def test_files_beside_the_bundles_own_do_not_matter(bundle: Bundle) -> None:
    (bundle.folder / "MLmodel").write_text("flavors: {}")
    assert bundles.read(bundle.folder) == bundle


def test_what_was_true_of_unseen_rows_is_read_back_where_it_was_written(bundle: Bundle) -> None:
    unseen = pd.DataFrame({"actual": [2.0, 3.0], "said": [2.5, 2.5]})
    with_it = bundles.write(bundle.folder, graph(), CONTRACT, GOLDEN, bundle.reference(), unseen)

    assert bundle.unseen() is None
    found = bundles.read(with_it.folder).unseen()
    assert found is not None
    pd.testing.assert_frame_equal(found, unseen)


def test_an_altered_file_that_a_bundle_may_do_without_is_refused(bundle: Bundle) -> None:
    with_it = bundles.write(
        bundle.folder, graph(), CONTRACT, GOLDEN, bundle.reference(), pd.DataFrame({"actual": [2.0], "said": [2.5]})
    )
    (with_it.folder / "unseen.parquet").write_bytes(b"")
    with pytest.raises(BundleError, match=r"altered.*unseen\.parquet"):
        bundles.read(with_it.folder)


def test_histograms_are_read_back_and_sealed_with_the_rest(bundle: Bundle) -> None:
    learned = pd.DataFrame({"grams": [1.0, 2.0], "hot": [1.0, None], "kind": ["green", ""], "strength": [2.0, 3.0]})
    whole = histograms.freeze(CONTRACT, learned)
    with_it = bundles.write(bundle.folder, graph(), CONTRACT, GOLDEN, bundle.reference(), histograms=whole)

    assert bundles.read(with_it.folder).histograms() == whole
    assert whole.names == ("grams", "hot", "kind", "strength")
    (with_it.folder / "histograms.json").write_text(whole.model_copy(update={"rows": 3}).model_dump_json())
    with pytest.raises(BundleError, match=r"altered.*histograms\.json"):
        bundles.read(with_it.folder)


def test_an_older_bundle_has_the_histograms_of_its_reference(bundle: Bundle) -> None:
    found = bundle.histograms()

    assert found == histograms.freeze(CONTRACT, bundle.reference())
    assert (found.rows, found.names) == (1, ("grams", "hot", "kind", "strength", "prediction"))


def test_histograms_that_say_something_else_are_refused(bundle: Bundle) -> None:
    sealed(bundle.folder, "histograms.json", "{}")
    with pytest.raises(BundleError, match=r"histograms that cannot be read"):
        bundles.read(bundle.folder).histograms()


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_an_altered_file_is_refused(bundle: Bundle, name: str) -> None:
    content = bytearray((bundle.folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle.folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"altered.*{name}"):
        bundles.read(bundle.folder)


@pytest.mark.parametrize("name", [*BUNDLE_FILES, "manifest.json"])
def test_a_missing_file_is_refused(bundle: Bundle, name: str) -> None:
    (bundle.folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} cannot be read"):
        bundles.read(bundle.folder)


@pytest.mark.parametrize(
    "change",
    [{"model.onnx": None}, {"../../etc/passwd": "0" * 64}],
    ids=["a file less", "a file from elsewhere"],
)
def test_a_manifest_of_other_files_is_refused(bundle: Bundle, change: dict[str, str | None]) -> None:
    path = bundle.folder / "manifest.json"
    files = json.loads(path.read_text())["files"] | change
    path.write_text(json.dumps({"files": {name: sha for name, sha in files.items() if sha}}))
    with pytest.raises(BundleError, match="manifest lists"):
        bundles.read(bundle.folder)


def sealed(folder: Path, name: str, content: str) -> None:
    """Replace a file together with its digest."""
    (folder / name).write_text(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_contract_that_is_none_is_refused_even_with_the_right_digest(bundle: Bundle) -> None:
    sealed(bundle.folder, "contract.json", '{"use_case": "tea"}')
    with pytest.raises(BundleError, match="does not say what it must"):
        bundles.read(bundle.folder)


def test_golden_rows_without_their_outputs_are_refused(bundle: Bundle) -> None:
    sealed(bundle.folder, "golden.json", GOLDEN.model_copy(update={"predictions": ((1.0,),)}).model_dump_json())
    with pytest.raises(BundleError, match="differ in number"):
        bundles.read(bundle.folder)


def test_scoring_takes_raw_rows_with_missing_values_of_every_kind(bundle: Bundle) -> None:
    frame = pd.DataFrame(
        {
            "kind": pd.Series(["black", None, np.nan], dtype=object),
            "hot": pd.Series([True, None, False], dtype="boolean"),
            "grams": pd.Series([2, 3, 4], dtype="Int64"),
            "not_an_input": ["a", "b", "c"],
        }
    )
    np.testing.assert_array_equal(bundles.score(bundle, frame), [103, 10, 4])


def test_scoring_no_rows_gives_no_predictions(bundle: Bundle) -> None:
    frame = pd.DataFrame({"grams": [2.0], "hot": [True], "kind": ["green"]}).head(0)
    assert bundles.score(bundle, frame).shape == (0,)


def test_many_rows_are_scored_in_order(bundle: Bundle) -> None:
    count = 250_001
    frame = pd.DataFrame({"grams": np.arange(count, dtype=float), "hot": False, "kind": "green"})
    np.testing.assert_array_equal(bundles.score(bundle, frame), np.arange(count))


def test_rows_that_lack_an_input_are_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="lack 'kind'"):
        bundles.score(bundle, pd.DataFrame({"grams": [1.0], "hot": [True]}))


def test_parity_holds_for_the_outputs_the_graph_gives(bundle: Bundle) -> None:
    assert bundles.parity(bundle) == bundles.Parity(excess=0.0, rows=3)
    assert bundles.parity(bundle).holds


@pytest.mark.parametrize(
    ("wrong", "holds"), [(3.5 * (1 + 9e-6), True), (3.5 * (1 + 2e-5), False)], ids=["within", "beyond"]
)
def test_parity_ends_at_the_golden_rows_own_tolerance(bundle: Bundle, wrong: float, holds: bool) -> None:
    golden = GOLDEN.model_copy(update={"predictions": ((103.0,), (wrong,), (8.0,))})
    off = bundles.write(bundle.folder, graph(), CONTRACT, golden, bundle.reference())
    assert bundles.parity(off).holds is holds


@pytest.mark.parametrize(
    ("expected", "predicted", "holds"),
    [
        ([1.0, 2.0], [1.0, np.nan], False),
        ([1.0, np.nan], [1.0, 2.0], False),
        ([np.inf, -np.inf], [np.inf, -np.inf], True),
        ([np.inf, 1.0], [1.0, 1.0], False),
        ([1.0], [np.inf], False),
        ([], [], False),
        ([0.0], [1e-9], True),
        ([0.0], [1e-7], False),
    ],
)
def test_an_answer_that_is_no_number_never_agrees(expected: list[float], predicted: list[float], holds: bool) -> None:
    assert bundles.agreement(np.array(expected), np.array(predicted), 1e-5, 1e-8).holds is holds


def test_the_runtime_is_named_as_the_service_names_itself(tmp_path: Path) -> None:
    for name in ("service.py", "schema.py", "requirements.txt", "contract.schema.json"):
        (tmp_path / name).write_text(f"the content of {name}")
    first = bundles.runtime_sha256(tmp_path)
    assert first == as_the_service_computes_it(tmp_path)
    (tmp_path / "notes.md").write_text("not served")
    assert bundles.runtime_sha256(tmp_path) == first
    (tmp_path / "schema.py").write_text("another reading")
    assert bundles.runtime_sha256(tmp_path) != first
    (tmp_path / "requirements.txt").unlink()
    with pytest.raises(BundleError, match=r"requirements\.txt"):
        bundles.runtime_sha256(tmp_path)
