"""Writes small release bundles, of a number or of classes: a real graph in double, a contract, golden rows."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from tabular.runtime import runtime_sha256
from tabular.settings import PACKAGE

USE_CASE = "rents"
DOUBLES = ("income", "rooms", "furnished")
PLACES = {"INLAND": -5.0, "NEAR BAY": 20.0}
EXAMPLE: dict[str, Any] = {"income": 8.5, "rooms": 3, "furnished": True, "place": "NEAR BAY"}
#: The rent at which all classes are as probable, and how many dollars it takes to tell them apart.
EVEN, STEP = 130.0, 20.0


@dataclass(frozen=True)
class Recipe:
    """What a bundle says and does.

    Attributes:
        base: Added to every prediction, so that versions can be told apart by what they answer.
        runtime_sha256: The runtime that the contract names.
        claims: First output of the first golden row, where it should not be what the graph gives.
        nullable: Names of the inputs that may be missing.
        sensitive: Name -> what the log does with the values of an input.
        labels: Value -> title of the classes, from cheap to dear; none for a rent in USD.
        blind_above: Of a larger income the graph predicts NaN.
        broken_above: At a larger income the graph fails.
        toil: Matrix products, of about a millisecond each, that every request costs for nothing.
    """

    base: float = 100.0
    runtime_sha256: str = field(default_factory=lambda: runtime_sha256(PACKAGE))
    claims: float | None = None
    limits: dict[str, Any] = field(
        default_factory=lambda: {
            "max_instances": 50,
            "missing": "impute",
            "unknown_fields": "reject",
            "unseen_category": "reject",
        }
    )
    interval: dict[str, Any] | None = field(
        default_factory=lambda: {"level": 0.9, "half_width": 30.0, "minimum": 0.0, "maximum": 160.0, "coverage": 0.91}
    )

    prediction_set: dict[str, Any] | None = None
    nullable: tuple[str, ...] = ("rooms",)
    sensitive: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    blind_above: float | None = None
    broken_above: float | None = None
    toil: int = 0

    def with_limits(self, **limits: Any) -> Recipe:
        """The same with other limits."""
        return replace(self, limits=self.limits | limits)


SET = {"level": 0.9, "threshold": 0.2, "coverage": 0.92, "mean_size": 1.4}
BINARY = Recipe(interval=None, prediction_set=SET, labels={"N": "Cheap", "Y": "Dear"})
MULTICLASS = replace(BINARY, labels={"low": "Cheap", "middle": "Fair", "high": "Dear"})
LOGARITHMIC = Recipe(interval={"level": 0.8, "scale": "log", "half_width": 0.5, "maximum": 200.0, "coverage": 0.81})


def shifted(recipe: Recipe, by: float) -> Recipe:
    """The same with every prediction moved."""
    return replace(recipe, base=recipe.base + by)


def blind(recipe: Recipe, above: float = 15.0) -> Recipe:
    """The same with NaN for large incomes; the golden rows have none."""
    return replace(recipe, blind_above=above)


def broken(recipe: Recipe, above: float = 15.0) -> Recipe:
    """The same with a graph that fails at large incomes; the golden rows have none."""
    return replace(recipe, broken_above=above)


def slow(recipe: Recipe, toil: int = 100) -> Recipe:
    """The same with a graph that burns time at every request."""
    return replace(recipe, toil=toil)


def predict(instance: dict[str, Any], base: float) -> float:
    """What the graph computes: a missing number of rooms counts as two."""
    rooms = 2 if instance.get("rooms") is None else instance["rooms"]
    worth = PLACES.get(instance["place"], 0.0)
    return float(base + 2 * instance["income"] + 5 * rooms + 3 * instance["furnished"] + worth)


def slopes(classes: int) -> list[float]:
    """By how much the logit of each class rises with every step of the rent."""
    return [index - (classes - 1) / 2 for index in range(classes)]


def probabilities(instance: dict[str, Any], recipe: Recipe) -> dict[str, float]:
    """What the graph computes for classes: the dearer the flat, the more probable the later ones."""
    steps = (predict(instance, recipe.base) - EVEN) / STEP
    weights = [math.exp(slope * steps) for slope in slopes(len(recipe.labels))]
    return {value: weight / sum(weights) for value, weight in zip(recipe.labels, weights, strict=True)}


def outputs(instance: dict[str, Any], recipe: Recipe) -> list[float]:
    """The graph's whole output for one row."""
    if recipe.labels:
        return list(probabilities(instance, recipe).values())
    return [predict(instance, recipe.base)]


def graph(recipe: Recipe) -> bytes:
    """base + 2 income + 5 rooms + 3 furnished + what the place is worth; or which class that makes probable."""
    classes = len(recipe.labels)
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", 1]) for name in DOUBLES]
    inputs.append(helper.make_tensor_value_info("place", TensorProto.STRING, ["rows", 1]))
    constants = {"base": recipe.base, "two": 2.0, "five": 5.0, "three": 3.0}
    values = numpy_helper.from_array(np.array(list(PLACES.values())), "values")
    default = numpy_helper.from_array(np.array([0.0]), "default")
    place = helper.make_node(
        "LabelEncoder",
        ["place"],
        ["placed"],
        domain="ai.onnx.ml",
        keys_strings=list(PLACES),
        values_tensor=values,
        default_tensor=default,
    )
    nodes = [
        helper.make_node("IsNaN", ["rooms"], ["absent"]),
        helper.make_node("Where", ["absent", "two", "rooms"], ["counted"]),
        helper.make_node("Mul", ["income", "two"], ["earned"]),
        helper.make_node("Mul", ["counted", "five"], ["roomy"]),
        helper.make_node("Mul", ["furnished", "three"], ["cosy"]),
        place,
        helper.make_node("Sum", ["base", "earned", "roomy", "cosy", "placed"], ["rent"]),
    ]
    initial = [numpy_helper.from_array(np.array(float(value)), name) for name, value in constants.items()]
    told, faults, known = _faults(recipe)
    nodes += faults
    initial += known
    if classes:
        initial += [
            numpy_helper.from_array(np.array(EVEN), "even"),
            numpy_helper.from_array(np.array([slopes(classes)]) / STEP, "slopes"),
        ]
        nodes += [
            helper.make_node("Sub", [told, "even"], ["beyond"]),
            helper.make_node("Mul", ["beyond", "slopes"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["prediction"], axis=1),
        ]
    else:
        nodes.append(helper.make_node("Identity", [told], ["prediction"]))
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "rents",
            inputs,
            [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, ["rows", classes or 1])],
            initial,
        ),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _faults(recipe: Recipe) -> tuple[str, list[Any], list[Any]]:
    """What the rent is called after all faults, the nodes that make them, and their constants."""
    told, nodes, initial = "rent", [], []

    def known(name: str, value: Any) -> str:
        initial.append(numpy_helper.from_array(np.array(value), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    if recipe.blind_above is not None:
        dazzled = node("Greater", ["income", known("dazzling", recipe.blind_above)], "dazzled")
        told = node("Where", [dazzled, known("nan", math.nan), told], "seen")
    if recipe.broken_above is not None:
        heavy = node("Greater", ["income", known("bearable", recipe.broken_above)], "heavy")
        beyond = node("Cast", [heavy], "index", to=TensorProto.INT64)
        # There is one element, so that the second is out of bounds.
        told = node("Add", [told, node("Gather", [known("only", [0.0]), beyond], "lifted")], "carried")
    if recipe.toil:
        nothing = node("Mul", [node("ReduceSum", ["income"], "sum"), known("zero", 0.0)], "nothing")
        # It depends on the request, or it would be computed once, while the graph is loaded.
        product = node("Expand", [nothing, known("sides", [_SIDE, _SIDE])], "product")
        for number in range(recipe.toil):
            product = node("MatMul", [product, product], f"product_{number}")
        told = node("Add", [told, node("ReduceSum", [product], "toiled")], "rested")
    return told, nodes, initial


#: Of the matrices that slow graphs multiply.
_SIDE = 300


def contract(recipe: Recipe) -> dict[str, Any]:
    """The contract that goes with the graph."""
    classes = list(recipe.labels)
    task = {0: "regression", 2: "binary"}.get(len(classes), "multiclass")
    inputs: list[dict[str, Any]] = [
        {"name": "income", "type": "number", "unit": "10k USD", "minimum": 0, "maximum": 20},
        {"name": "rooms", "type": "integer", "minimum": 1, "maximum": 50},
        {"name": "furnished", "type": "boolean"},
        {"name": "place", "type": "category", "categories": list(PLACES), "description": "Where it lies"},
    ]
    return {
        "schema_version": 2,
        "use_case": USE_CASE,
        "title": "Rents",
        "description": "What a flat costs",
        "task": task,
        "family": "linear",
        "inputs": [
            {**given, "nullable": given["name"] in recipe.nullable, "sensitive": recipe.sensitive.get(given["name"])}
            for given in inputs
        ],
        "output": {
            "name": "rent",
            "unit": None if classes else "USD",
            "labels": [{"value": value, "title": title} for value, title in recipe.labels.items()],
            "positive": classes[-1] if task == "binary" else None,
        },
        "interval": recipe.interval,
        "prediction_set": recipe.prediction_set,
        "limits": recipe.limits,
        "example": EXAMPLE,
        "metrics": {"rmse": 1.0},
        "lineage": {
            "run_id": "r1",
            "snapshot_id": "s1",
            "spec_sha256": "0" * 64,
            "test_share": 0.2,
            "identity": ["income", "place"],
        },
        "libraries": {"onnx": onnx.__version__},
        "runtime_sha256": recipe.runtime_sha256,
        "trained_at": "2026-01-01T00:00:00+00:00",
    }


def write(folder: Path, recipe: Recipe | None = None) -> Path:
    """Write a bundle into a folder and return it."""
    recipe = recipe or Recipe()
    folder.mkdir(parents=True, exist_ok=True)
    instances = [EXAMPLE, EXAMPLE | {"rooms": None, "place": "INLAND", "furnished": False}]
    predictions = [outputs(instance, recipe) for instance in instances]
    if recipe.claims is not None:
        predictions[0][0] = recipe.claims
    (folder / "model.onnx").write_bytes(graph(recipe))
    (folder / "contract.json").write_text(json.dumps(contract(recipe)))
    (folder / "golden.json").write_text(json.dumps({"instances": instances, "predictions": predictions}))
    flats().to_parquet(folder / "reference.parquet", index=False)
    seal(folder)
    return folder


def flats(count: int = 200) -> pd.DataFrame:
    """What the model learned from: flats of every kind."""
    numbers = np.arange(count)
    return pd.DataFrame(
        {
            "income": 20 * numbers / count,
            "rooms": 1.0 + numbers * 7 % 8,
            "furnished": numbers % 2 == 0,
            "place": np.array(list(PLACES), dtype=object)[numbers // 2 % len(PLACES)],
        }
    )


def seal(folder: Path) -> None:
    """Write the manifest for the files as they are."""
    names = ("model.onnx", "contract.json", "golden.json", "reference.parquet")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps({"files": digests}))
