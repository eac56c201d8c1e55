"""The whole graph, from raw inputs to numbers or probabilities, compared with its model on rows of every kind."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from sluice.adapters.bundles import agreement
from sluice.adapters.graphs import Graph
from sluice.domain.errors import ConversionError
from sluice.domain.search import Family
from sluice.training import families, graph
from tests.unit.training.assembled import CHOICES, CLASSES, INPUTS, LINEAR, NUMBERS, SMALL, Case, fitted, rows

CASES = NUMBERS + CLASSES
EXAMPLES, ROWS = 15, 600


@cache
def written(case: Case) -> Graph:
    return Graph(graph.write(INPUTS, fitted(case)))


def agrees(case: Case, frame: pd.DataFrame) -> None:
    # scikit-learn adds up all that it sees, to look for gaps; the largest doubles have no sum.
    with np.errstate(over="ignore", invalid="ignore"):
        expected = families.scores(case.use_case, fitted(case), frame)
    answers = written(case).predict(frame)
    assert answers.shape == expected.shape
    parity = agreement(expected, answers, 1e-5, 1e-8)
    assert parity.holds, worst(frame, expected, answers)


def worst(frame: pd.DataFrame, expected: np.ndarray, answers: np.ndarray) -> str:
    gap = np.abs(np.nan_to_num(answers - expected, nan=np.inf)).reshape(len(frame), -1).max(axis=1)
    row = int(gap.argmax())
    return f"{frame.iloc[row].to_dict()}: expected {expected[row]}, the graph says {answers[row]}"


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_the_graph_answers_as_its_model_on_any_rows(case: Case, seed: int) -> None:
    agrees(case, rows(case, ROWS, seed))


@pytest.mark.parametrize("case", [case for case in CASES if case.family in LINEAR], ids=str)
def test_the_graph_of_a_linear_model_follows_it_far_out(case: Case) -> None:
    frame = rows(case, 5, seed=1).assign(area=[1e300, -1e300, 1e200, -1e200, 0.0], rooms=3.0)
    agrees(case, frame)


@pytest.mark.parametrize("case", CLASSES, ids=str)
def test_probabilities_add_up_to_one(case: Case) -> None:
    answers = written(case).predict(rows(case, ROWS, seed=3))
    assert answers.min() >= 0
    assert answers.max() <= 1
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_graph_does_not_say_the_same_of_every_row(case: Case) -> None:
    answers = written(case).predict(case.part().inputs)
    assert np.ptp(answers, axis=0).min() > 0.05


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_model_gives_the_same_bytes(case: Case) -> None:
    assert graph.write(INPUTS, fitted(case)) == written(case).model


@pytest.mark.parametrize("case", [*NUMBERS[::2], *CLASSES], ids=str)
def test_the_same_training_gives_the_same_bytes(case: Case) -> None:
    assert graph.write(INPUTS, case.fit()) == written(case).model


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_input_is_named_by_its_column_and_everything_is_double(case: Case) -> None:
    model = onnx.load_from_string(written(case).model)
    tensor = onnx.TensorProto
    kinds = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    assert kinds == {"area": tensor.DOUBLE, "rooms": tensor.DOUBLE, "lift": tensor.DOUBLE, "district": tensor.STRING}
    (output,) = model.graph.output
    assert (output.name, output.type.tensor_type.elem_type) == ("prediction", tensor.DOUBLE)
    assert output.type.tensor_type.shape.dim[1].dim_value == max(1, len(case.use_case.classes))
    assert tensor.FLOAT not in {constant.data_type for constant in model.graph.initializer}


@pytest.mark.parametrize("columns", [["area"], ["district"]], ids=["numbers only", "categories only"])
@pytest.mark.parametrize("family", SMALL)
def test_inputs_of_one_kind_alone_are_enough(family: Family, columns: list[str]) -> None:
    case = Case(family, "binary")
    kept = tuple(c for c in case.use_case.columns if c.name in [*columns, "rent"])
    plain = case.use_case.features.model_copy(update={"ratios": ()})
    use_case = case.use_case.model_copy(update={"columns": kept, "features": plain})
    part = case.part()
    model = families.assemble(use_case, family, SMALL[family], CHOICES).fit(part.inputs[columns], part.target)
    answers = Graph(graph.write(columns, model)).predict(part.inputs[columns])
    assert agreement(families.scores(use_case, model, part.inputs[columns]), answers, 1e-5, 1e-8).holds


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (LinearRegression(), "LinearRegression has no writer"),
        (RidgeClassifier(), "without probabilities"),
        (CalibratedClassifierCV(RidgeClassifier(), method="isotonic", ensemble=False), "isotonic"),
        (CalibratedClassifierCV(RidgeClassifier(), ensemble=True), "ensemble"),
        (CalibratedClassifierCV(GaussianNB(), ensemble=False), "GaussianNB has no writer"),
    ],
    ids=["unknown", "without probabilities", "isotonic", "ensemble", "unknown within a calibration"],
)
def test_an_estimator_without_a_writer_is_refused(model: object, complaint: str) -> None:
    case = Case("ridge", "binary")
    part = case.part()
    whole = families.assemble(case.use_case, "ridge", {}, CHOICES)
    whole.steps[-1] = ("model", model)
    whole.fit(part.inputs, part.target)
    with pytest.raises(ConversionError, match=complaint):
        graph.write(INPUTS, whole)


def test_a_transform_of_the_target_without_a_writer_is_refused() -> None:
    model = Case("ridge", "regression", "log").fit()
    model["model"].func, model["model"].inverse_func = np.sqrt, np.square
    with pytest.raises(ConversionError, match="transform"):
        graph.write(INPUTS, model)


def test_a_column_may_not_take_the_outputs_name() -> None:
    with pytest.raises(ConversionError, match="output"):
        graph.write(["prediction", *INPUTS], fitted(Case("ridge")))
