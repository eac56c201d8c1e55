"""A release is held against what it promised by the labels that are there; what is not known is never called good."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from psycopg2.extras import Json

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.adapters.metrics import measure
from sluice.adapters.warehouse import Warehouse
from sluice.domain.contract import Contract, Golden, Input, Label, Limits, Lineage, Output
from sluice.domain.monitoring import PerformancePolicy
from sluice.domain.policy import Slice, Threshold
from sluice.domain.use_case import UseCase
from sluice.monitoring import report
from sluice.monitoring.performance import Figure, Performance, check
from tests.unit.monitoring.conftest import NOON

MORNING = NOON.replace(hour=0)
YESTERDAY = MORNING - timedelta(hours=5)
ERROR = 2.0

ANSWER = """
INSERT INTO serving.answers (
    answer_id, request_id, use_case, model_version, role, size, names, features, predictions, labels, probabilities,
    latency_ms, predicted_at
)
VALUES (
    %(answer_id)s, 'r', %(use_case)s, %(version)s, %(role)s, %(size)s, %(names)s, %(features)s, %(predictions)s,
    %(labels)s, %(probabilities)s, 1, %(at)s
)
"""
LABEL = """
INSERT INTO serving.labels (
    prediction_id, answer_id, place, request_id, use_case, model_version, role, predicted_at, prediction, label,
    probabilities, true_number, true_label
)
SELECT
    serving.prediction_id(answer.answer_id, made.place - 1), answer.answer_id, made.place - 1, 'r', answer.use_case,
    answer.model_version, answer.role, answer.predicted_at, made.prediction, made.label, made.probabilities::jsonb,
    (%(numbers)s::double precision[])[made.place], (%(texts)s::text[])[made.place]
FROM serving.answers AS answer
CROSS JOIN LATERAL serving.instances(answer) AS made
WHERE answer.answer_id = %(answer_id)s AND made.place <= %(size)s
"""
REPORT = """
WITH report AS (
    INSERT INTO monitoring.reports (
        use_case, kind, version, current_source, window_start, window_end, verdict, message, dag_run_id,
        reference_rows, current_rows
    )
    VALUES ('parcels', 'performance', 1, 'predictions', %(start)s, %(end)s, 'unknown', 'm', %(end)s, 0, 0)
    RETURNING report_id
)
INSERT INTO monitoring.performance (report_id, version, slice, metric, basis, value, low, high, rows)
SELECT report_id, 1, '', 'mae', 'estimated', 1.6, 1.5, 1.7, 300 FROM report
"""

Make = Callable[..., Bundle]


@pytest.fixture
def log(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A warehouse whose log is empty; labels are history, and go only with their table."""
    warehouse.execute("TRUNCATE monitoring.reports, serving.answers CASCADE")
    warehouse.execute("ALTER TABLE serving.labels DISABLE TRIGGER labels_are_history")
    warehouse.execute("TRUNCATE serving.labels")
    warehouse.execute("ALTER TABLE serving.labels ENABLE TRIGGER labels_are_history")
    return warehouse


@pytest.fixture(scope="module")
def priced(parcels: UseCase) -> UseCase:
    """The mean error decides, and may be a tenth worse than promised; slices by zone, weight, price and fragility."""
    bound = {"mae": Threshold(max=2.5)}
    slices = (
        Slice(column="zone", thresholds=bound),
        Slice(column="weight", edges=(5.0,), thresholds=bound),
        Slice(column="price", edges=(20.0,), thresholds=bound),
        Slice(column="fragile", thresholds=bound),
    )
    monitoring = parcels.monitoring.model_copy(
        update={"performance": PerformancePolicy(metric="mae", max_drop=0.1, min_labels=200, days=7)}
    )
    gate = parcels.gate.model_copy(update={"slices": slices})
    return parcels.model_copy(update={"monitoring": monitoring, "gate": gate})


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes the bundle of a release; what it keeps is all that a check reads of it."""

    def of(use_case: UseCase, metrics: dict[str, float], unseen: pd.DataFrame | None, hidden: str = "") -> Bundle:
        contract = Contract(
            use_case=use_case.name,
            title=use_case.title,
            task=use_case.task,
            family="ridge",
            inputs=tuple(
                Input(name=c.name, type="number", sensitive="drop" if c.name == hidden else None)
                for c in use_case.inputs
            ),
            output=Output(
                name=use_case.target, labels=tuple(Label(value=name, title=name) for name in use_case.classes)
            ),
            limits=Limits(max_instances=1, missing="reject", unknown_fields="reject", unseen_category="reject"),
            example={},
            metrics=metrics,
            lineage=Lineage(run_id="r", snapshot_id="s", spec_sha256="", test_share=0.2, identity=()),
            libraries={},
            runtime_sha256="",
            trained_at="",
        )
        folder: Path = tmp_path_factory.mktemp("bundle")
        nothing = Golden(instances=(), predictions=())
        return bundles.write(folder, b"a graph", contract, nothing, pd.DataFrame({"weight": [1.0]}), unseen)

    return of


@pytest.fixture(scope="module")
def pricing(make: Make, priced: UseCase) -> Bundle:
    """A release whose predictions were off by 2 in the middle, both ways alike."""
    return make(priced, {"mae": mean_error(ERROR), "rmse": ERROR}, numbers(2000, seed=9))


def mean_error(deviation: float) -> float:
    """Of errors that are normal."""
    return float(deviation * np.sqrt(2 / np.pi))


def numbers(count: int, deviation: float = ERROR, seed: int = 0) -> pd.DataFrame:
    """What was true, and what was said of it."""
    draw = np.random.default_rng(seed)
    said = draw.uniform(10, 30, count)
    return pd.DataFrame({"actual": said + draw.normal(0, deviation, count), "said": said})


def log_prices(
    warehouse: Warehouse,
    rows: pd.DataFrame,
    labelled: int | None = None,
    at: datetime = YESTERDAY,
    version: int = 1,
    role: str = "champion",
) -> str:
    """Answer for parcels, and label the first so many of them; every second one is near, a third is fragile."""
    features = [[4.0 + i % 3, 1, i % 3 == 0, "near" if i % 2 else "far"] for i in range(len(rows))]
    answer_id = _answer(
        warehouse,
        at,
        {"use_case": "parcels", "version": version, "role": role, "size": len(rows)},
        names=["weight", "stops", "fragile", "zone"],
        features=Json(features),
        predictions=rows["said"].tolist(),
    )
    label(warehouse, answer_id, rows["actual"].tolist()[:labelled])
    return answer_id


def _answer(warehouse: Warehouse, at: datetime, known: dict[str, Any], **values: Any) -> str:
    answer_id = f"{str(uuid4())[:-4]}0000"
    nothing = {"predictions": None, "labels": None, "probabilities": None}
    warehouse.rows("SELECT serving.ensure_partition(%(day)s)", {"day": at.astimezone(UTC).date()})
    warehouse.execute(ANSWER, nothing | known | values | {"answer_id": answer_id, "at": at})
    return answer_id


def label(warehouse: Warehouse, answer_id: str, truths: list[Any]) -> None:
    texts = truths if truths and isinstance(truths[0], str) else None
    values = {"answer_id": answer_id, "size": len(truths), "texts": texts, "numbers": None if texts else truths}
    warehouse.execute(LABEL, values)


def one(found: Performance, basis: str, metric: str, part: str = "") -> Figure:
    [figure] = [f for f in found.figures if (f.basis, f.metric, f.slice) == (basis, metric, part)]
    return figure


def text(page: str | None) -> str:
    """What a page says, without its marks and its style."""
    assert page is not None
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_what_was_realised_is_measured_on_the_labelled_predictions(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    rows = numbers(500)
    log_prices(log, rows, labelled=300)

    found = check(log, priced, pricing, 1, NOON)

    known = rows.head(300)
    expected = measure("regression", known["actual"].to_numpy(), known["said"].to_numpy())
    assert {m: one(found, "realised", m).value for m in expected} == pytest.approx(expected)
    figure = one(found, "realised", "mae")
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < expected["mae"] < figure.high < figure.low + 0.6
    assert (found.labelled_rows, found.predicted_rows, figure.rows) == (300, 500, 300)
    assert (found.start, found.end) == (MORNING - timedelta(days=7), MORNING)
    assert one(found, "promised", "mae").value == mean_error(ERROR)


@pytest.mark.parametrize(
    ("deviation", "labels", "verdict", "says"),
    [
        (ERROR, 3000, "stable", "Stable: MAE is"),
        (1.3 * ERROR, 1000, "degraded", "Degraded: MAE is"),
        (1.1 * ERROR, 300, "unknown", "which lies within the interval"),
        (3 * ERROR, 199, "unknown", "199 labelled predictions of 7 days are too few; 200 are needed"),
        (ERROR, 0, "unknown", "0 labelled predictions of 7 days are too few"),
    ],
    ids=["as promised", "worse than may be", "at the limit", "too few labels", "no label"],
)
def test_the_whole_interval_must_lie_on_one_side_of_the_limit(
    log: Warehouse, priced: UseCase, pricing: Bundle, deviation: float, labels: int, verdict: str, says: str
) -> None:
    roomy = priced.model_copy(update={"monitoring": priced.monitoring.model_copy(update={"sample_rows": 5000})})
    log_prices(log, numbers(3000, deviation), labelled=labels)

    found = check(log, roomy, pricing, 1, NOON)

    assert (found.verdict, says in found.message) == (verdict, True), found.message


@pytest.mark.parametrize(("metrics", "verdict"), [({"r2": 0.9}, "unknown"), ({"mae": 0.1}, "degraded")])
def test_what_was_not_promised_cannot_be_held_against_it(
    log: Warehouse, priced: UseCase, make: Make, metrics: dict[str, float], verdict: str
) -> None:
    log_prices(log, numbers(500))

    found = check(log, priced, make(priced, metrics, numbers(500)), 1, NOON)

    assert found.verdict == verdict
    assert ("contract does not say what MAE it had" in found.message) == (verdict == "unknown")


def test_only_what_this_release_answered_to_somebody_within_the_days_counts(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    first = MORNING - timedelta(days=7)
    for at, count in ((first, 1), (MORNING - timedelta(microseconds=1), 2)):
        log_prices(log, numbers(count), at=at)
    for at in (first - timedelta(microseconds=1), MORNING):
        log_prices(log, numbers(10), at=at)
    log_prices(log, numbers(20), version=2)
    log_prices(log, numbers(40), role="shadow")
    log_prices(log, numbers(4), role="challenger")

    found = check(log, priced, pricing, 1, NOON)

    assert (found.labelled_rows, found.predicted_rows) == (7, 7)
    assert (one(found, "realised", "mae").rows, one(found, "estimated", "mae").rows) == (7, 7)


def test_the_newest_label_of_a_prediction_counts(log: Warehouse, priced: UseCase, pricing: Bundle) -> None:
    rows = numbers(300)
    answer_id = log_prices(log, rows)
    label(log, answer_id, (rows["said"] + 1.0).tolist())

    found = check(log, priced, pricing, 1, NOON)

    assert found.labelled_rows == 300
    assert one(found, "realised", "mae").value == pytest.approx(1.0)


def test_of_many_rows_a_sample_is_measured_that_is_the_same_each_time(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    few = priced.model_copy(update={"monitoring": priced.monitoring.model_copy(update={"sample_rows": 250})})
    log_prices(log, numbers(600), labelled=400)

    found = check(log, few, pricing, 1, NOON)

    assert (one(found, "realised", "mae").rows, one(found, "estimated", "mae").rows) == (250, 250)
    assert (found.labelled_rows, found.predicted_rows) == (400, 600)
    assert "Measured on a sample of 250 of 400 labelled predictions." in found.message
    assert "Estimated on a sample of 250 of 600 predictions." in found.message
    assert check(log, few, pricing, 1, NOON) == found


def test_every_slice_that_is_large_enough_is_measured_by_itself(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    rows = numbers(300)
    rows.loc[rows.index % 2 == 1, "actual"] = rows["said"] + 5
    log_prices(log, rows)

    found = check(log, priced, pricing, 1, NOON)

    slices = {f.slice: f.rows for f in found.figures if f.metric == "mae" and f.basis == "realised"}
    above = int((rows["actual"] >= 20).sum())
    assert slices == {
        "": 300,
        "zone = near": 150,
        "zone = far": 150,
        "weight < 5": 100,
        "weight >= 5": 200,
        "price < 20": 300 - above,
        "price >= 20": above,
        "fragile = true": 100,
        "fragile = false": 200,
    }
    assert one(found, "realised", "mae", "zone = near").value == pytest.approx(5.0)


def test_what_could_not_be_sliced_is_named(log: Warehouse, priced: UseCase, make: Make) -> None:
    hiding = make(priced, {"mae": 1.6}, numbers(500), "zone")
    log_prices(log, numbers(120))

    found = check(log, priced, hiding, 1, NOON)

    assert "Not sliced, because the log does not hold it: zone." in found.message
    assert "Too few labels to tell of: weight < 5 (40), fragile = true (40)" in found.message
    assert not any(f.slice.startswith("zone") for f in found.figures)


def test_an_estimate_stands_beside_what_was_realised_for_the_same_predictions_and_for_all(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    log_prices(log, numbers(900), labelled=400)

    found = check(log, priced, pricing, 1, NOON)

    realised, same, whole = (
        one(found, "realised", "mae"),
        one(found, "estimated", "mae", "labelled"),
        one(found, "estimated", "mae"),
    )
    assert (same.rows, whole.rows) == (400, 900)
    assert same.low is not None
    assert same.high is not None
    assert realised.value is not None
    assert same.low < realised.value < same.high
    assert whole.value == pytest.approx(mean_error(ERROR), rel=0.1)
    assert "as it turned out" in found.message


def test_a_change_of_what_is_true_shows_as_more_than_was_to_be_expected(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    log_prices(log, numbers(500, 2 * ERROR))

    found = check(log, priced, pricing, 1, NOON)

    assert found.verdict == "degraded"
    assert "what is true of the rows seems to have changed, not only which rows are asked about" in found.message


@pytest.mark.parametrize(("unseen", "says"), [(None, "before bundles kept"), (numbers(49), "49 unseen rows say too")])
def test_without_unseen_rows_there_is_no_estimate(
    log: Warehouse, priced: UseCase, make: Make, unseen: pd.DataFrame | None, says: str
) -> None:
    log_prices(log, numbers(300))

    found = check(log, priced, make(priced, {"mae": mean_error(ERROR)}, unseen), 1, NOON)

    assert not [f for f in found.figures if f.basis == "estimated"]
    assert says in found.message
    assert found.html is not None


def chances(count: int, classes: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Probabilities, and classes that keep to them."""
    draw = np.random.default_rng(seed)
    odds = np.exp(draw.normal(0, 2, (count, classes)))
    said = odds / odds.sum(axis=1, keepdims=True)
    actual = (draw.random((count, 1)) >= np.cumsum(said, axis=1)).sum(axis=1)
    return np.minimum(actual, classes - 1), said


def test_classes_are_measured_and_estimated_by_their_probabilities(
    log: Warehouse, letters: UseCase, make: Make
) -> None:
    names = np.array(letters.classes, dtype=object)
    before, trusted = chances(1500, len(names), seed=4)
    unseen = pd.DataFrame(trusted, columns=[f"said_{c}" for c in range(len(names))]).assign(actual=before.astype(float))
    actual, said = chances(600, len(names), seed=6)
    expected = measure(letters.task, actual.astype(float), said)
    answer_id = _answer(
        log,
        YESTERDAY,
        {"use_case": "letters", "version": 3, "role": "champion", "size": 600, "names": ["weight"]},
        features=Json([[1.0]] * 600),
        labels=names[said.argmax(axis=1)].tolist(),
        probabilities=Json([dict(zip(names, row, strict=True)) for row in said.tolist()]),
    )
    label(log, answer_id, [*names[actual[:-1]], "burnt"])

    found = check(log, letters, make(letters, expected, unseen[["actual", *unseen.columns[:-1]]]), 3, NOON)

    realised = {f.metric: f.value for f in found.figures if f.basis == "realised"}
    assert realised == pytest.approx(measure(letters.task, actual[:-1].astype(float), said[:-1]))
    assert "1 labels were left out: the release does not know their class." in found.message
    for metric in ("accuracy", "f1", "precision", "recall", "roc_auc", "log_loss"):
        whole = one(found, "estimated", metric)
        assert whole.low is not None
        assert whole.high is not None
        assert whole.low < expected[metric] < whole.high
    assert "What was taken for what" in text(found.html)


def test_the_page_shows_every_number_and_loads_and_runs_nothing(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    log_prices(log, numbers(600), labelled=400)
    named = priced.model_copy(update={"title": "<script>alert(1)</script>"})

    found = check(log, named, pricing, 1, NOON)

    page = report.page(named, "performance", found, "Wait.")
    assert page.count(escape(found.message)) == page.count("<h1") == 1
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import|https?:|\son\w+=", page)
    assert page.startswith("<!doctype html>")
    said = text(page)
    for words in ("600 predictions, 400 of them", "MAE, which decides", "RMSE", "zone = near", "How far off it is"):
        assert words in said
    assert "2026-04-25 to 2026-05-01" in said


def test_a_check_without_a_prediction_has_no_page(log: Warehouse, priced: UseCase, pricing: Bundle) -> None:
    found = check(log, priced, pricing, 1, NOON)

    assert (found.verdict, found.html, found.predicted_rows) == ("unknown", None, 0)


def test_earlier_estimates_are_shown_with_what_became_known_since(
    log: Warehouse, priced: UseCase, pricing: Bundle
) -> None:
    for weeks in (1, 2):
        end = MORNING - timedelta(weeks=weeks)
        log.execute(REPORT, {"start": end - timedelta(days=7), "end": end})
    log_prices(log, numbers(300, seed=2), at=MORNING - timedelta(days=9))
    log_prices(log, numbers(300))

    page = check(log, priced, pricing, 1, NOON).html

    assert page is not None
    marks = re.findall(r"<title>(until [^<]*)</title>", page)
    assert [mark.split(";")[0] for mark in marks] == [
        "until 2026-04-18, version 1",
        "until 2026-04-25, version 1",
        "until 2026-05-02, version 1",
    ]
    assert [("estimated" in mark, "on 300 labels" in mark) for mark in marks] == [
        (True, False),
        (True, True),
        (True, True),
    ]
