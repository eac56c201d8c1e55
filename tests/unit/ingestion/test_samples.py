"""Samples: deterministic, of the declared shape, and worth learning from."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice import registry
from sluice.adapters.metrics import measure
from sluice.adapters.targets import encode
from sluice.domain.columns import Column
from sluice.domain.errors import SpecError
from sluice.domain.sample import Drift, Sample
from sluice.domain.use_case import UseCase
from sluice.gate import fairness, slices
from sluice.ingestion import samples
from sluice.ingestion.draws import nearest_correlation
from sluice.ingestion.readings import reader

USE_CASES = Path(__file__).resolve().parents[3] / "include" / "use_cases"

DOCUMENT: dict[str, Any] = {
    "rows": 4000,
    "seed": 1,
    "groups": {
        "columns": ["east", "north"],
        "members": {
            "town": {"share": 3, "center": [0, 0], "spread": [1, 1], "correlation": 0.8, "scores": {"income": 1}},
            "land": {"share": 1, "center": [100, 50], "spread": [1, 1]},
        },
    },
    "columns": {
        "income": {"quantiles": [0, 10, 20, 40, 100], "decimals": 1},
        "age": {"normal": [50, 10], "within": [20, 80], "decimals": 0, "missing": 0.1},
        "size": {"lognormal": [100, 0.5], "decimals": 2},
        "people": {"product": ["age", "size"]},
        "kind": {"shares_by_group": {"town": {"flat": 9, "house": 1}, "land": {"house": 1}}, "missing": 0.2},
        "rich": {"shares_by_bin": {"column": "income", "edges": [20], "shares": [{"no": 1}, {"yes": 1, "no": 1}]}},
    },
    "correlations": [["income", "age", 0.6], ["income", "size", -0.4]],
    "target": {
        "column": "price",
        "base": 100,
        "effects": [
            {"column": "income", "at": [0, 50, 100], "add": [0, 50, 60]},
            {"column": "group", "add": {"land": -20}},
        ],
        "interactions": [
            {
                "name": "old_house",
                "factors": [{"column": "age", "at": [20, 80], "add": [0, 30]}, {"column": "kind", "add": {"house": 1}}],
            }
        ],
        "noise": 0,
        "decimals": 3,
    },
    "drift": {"richer": {"shift": {"income": 50}}},
}

COLUMNS = tuple(
    Column.model_validate(
        {"name": name, "type": kind, "nullable": True} | ({"categories": categories} if categories else {})
    )
    for name, kind, categories in [
        ("price", "number", None),
        ("east", "number", None),
        ("north", "number", None),
        ("income", "number", None),
        ("age", "number", None),
        ("size", "number", None),
        ("people", "number", None),
        ("kind", "category", ("flat", "house")),
        ("rich", "category", ("yes", "no")),
    ]
)


def sample(**changes: Any) -> Sample:
    return Sample.model_validate_json(json.dumps(DOCUMENT | changes))


def table(declared: Sample, **arguments: Any) -> dict[str, np.ndarray[Any, Any]]:
    """A drawn sample by column; numbers as floats, missing as NaN."""
    text = "".join(samples.generate(declared, COLUMNS, **arguments))
    rows = list(csv.DictReader(io.StringIO(text)))
    names = [c.name for c in COLUMNS if c.type == "number"]
    found: dict[str, Any] = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
    return found | {name: np.array([row[name] for row in rows]) for name in ("kind", "rich")}


def rank_correlation(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    both = ~np.isnan(one) & ~np.isnan(other)
    ranks = np.argsort(np.argsort(np.stack([one[both], other[both]]), axis=1), axis=1)
    return float(np.corrcoef(ranks.astype(float))[0, 1])


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = ("".join(samples.generate(sample(), COLUMNS, seed=seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_sample_is_written_in_the_order_and_with_the_headers_of_the_spec(tmp_path: Path) -> None:
    columns = (COLUMNS[3].model_copy(update={"header": "Income (k)"}), COLUMNS[0])
    samples.write(tmp_path / "sample.csv", sample(), columns, rows=samples.CHUNK + 1)
    lines = (tmp_path / "sample.csv").read_bytes().splitlines()
    assert lines[0] == b"Income (k),price"
    assert len(lines) == samples.CHUNK + 2


def test_marginals_are_as_declared() -> None:
    found = table(sample())
    assert np.nanmean(found["age"]) == pytest.approx(50, abs=1)
    assert np.nanstd(found["age"]) == pytest.approx(10, abs=1)
    assert np.median(found["size"]) == pytest.approx(100, rel=0.05)
    assert np.quantile(found["income"], [0.25, 0.5, 0.75]) == pytest.approx([10, 20, 40], rel=0.15)
    known = ~np.isnan(found["age"])
    assert known.mean() == pytest.approx(0.9, abs=0.02)
    assert (found["kind"] == "").mean() == pytest.approx(0.2, abs=0.02)
    assert np.allclose(found["people"][known], (found["age"] * found["size"])[known])


def test_groups_place_rows_and_shift_other_columns() -> None:
    found = table(sample())
    town = found["east"] < 50
    assert town.mean() == pytest.approx(0.75, abs=0.03)
    assert np.corrcoef(found["east"][town], found["north"][town])[0, 1] == pytest.approx(0.8, abs=0.03)
    assert np.median(found["income"][town]) > np.median(found["income"][~town])


def test_rank_correlations_are_as_declared_within_a_group() -> None:
    found = table(sample())
    town = found["east"] < 50
    assert rank_correlation(found["income"][town], found["age"][town]) == pytest.approx(0.6, abs=0.05)
    assert rank_correlation(found["income"][town], found["size"][town]) == pytest.approx(-0.4, abs=0.05)


def test_categories_depend_on_group_or_bin() -> None:
    found = table(sample())
    town, known = found["east"] < 50, found["kind"] != ""
    assert set(found["kind"][~town & known]) == {"house"}
    assert (found["kind"][town & known] == "flat").mean() == pytest.approx(0.9, abs=0.03)
    assert set(found["rich"][found["income"] < 20]) == {"no"}
    assert (found["rich"][found["income"] >= 20] == "yes").mean() == pytest.approx(0.5, abs=0.04)


def test_the_target_follows_the_mechanism() -> None:
    found = table(sample())
    known = ~np.isnan(found["age"]) & (found["kind"] != "")
    income = np.interp(found["income"], [0, 50, 100], [0, 50, 60])
    place = np.where(found["east"] > 50, -20, 0)
    interaction = np.interp(found["age"], [20, 80], [0, 30]) * (found["kind"] == "house")
    assert np.allclose(found["price"][known], (100 + income + place + interaction)[known], atol=0.001)


def test_a_logarithmic_target_is_positive_and_capped() -> None:
    mechanism = DOCUMENT["target"] | {"scale": "log", "base": 0, "effects": [], "interactions": [], "noise": 1}
    price = table(sample(target=mechanism | {"within": [0.1, 2]}))["price"]
    assert (price.min(), price.max()) == (0.1, 2)
    assert np.median(price) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("drift", "changed"),
    [
        ("richer", {"income", "rich", "price"}),
        (Drift(shift={"east": 3}), {"east"}),
        (Drift(scale={"age": 0.5}), {"age", "people", "price"}),
        (Drift(shares={"kind": {"house": 5}}), {"kind", "price"}),
        (Drift(missing={"kind": 0.9}), {"kind"}),
        (Drift(base=10), {"price"}),
        (Drift(effects={"income": 0.5}), {"price"}),
        (Drift(effects={"old_house": 2, "group": 2}), {"price"}),
    ],
    ids=lambda value: str(value) if isinstance(value, Drift | str) else "",
)
def test_a_drift_changes_what_it_says_and_what_follows(drift: Drift | str, changed: set[str]) -> None:
    before, after = table(sample()), table(sample(), drift=drift)
    different = {name for name in before if list(before[name].astype(str)) != list(after[name].astype(str))}
    assert different == changed


CLASSES: dict[str, Any] = {
    "rows": 4000,
    "seed": 1,
    "groups": {"members": {"calm": {"share": 1}, "wild": {"share": 1}}},
    "columns": {
        "income": {"normal": [10, 5], "within": [0, 20]},
        "people": {"normal": [3, 1], "within": [0, 6], "decimals": 0},
        "share": {"quotient": ["income", "people"], "decimals": 2},
        "sign": {"shares_by_group": {"calm": {"1": 1}, "wild": {"-1": 1, "0": 1}}},
        "member": {"shares": {"true": 1, "false": 3}},
    },
    "target": {
        "column": "mood",
        "temperature": 0,
        "classes": {
            "flat": {},
            "low": {"base": -1, "effects": [{"column": "sign", "add": {"-1": 3}}]},
            "high": {
                "effects": [{"column": "income", "at": [0, 10, 20], "add": [-1, 1, 1]}],
                "interactions": [
                    {
                        "name": "member_calm",
                        "factors": [
                            {"column": "member", "add": {"true": 5}},
                            {"column": "group", "add": {"calm": 1}},
                        ],
                    }
                ],
            },
        },
    },
}

MOOD = Column(name="mood", type="category", categories=("high", "low", "flat"))
OF_CLASSES = (
    MOOD,
    Column(name="income", type="number"),
    Column(name="people", type="integer"),
    Column(name="share", type="number", nullable=True),
    Column(name="sign", type="integer", range=(-1, 1)),
    Column(name="member", type="boolean"),
)


def classes(**changes: Any) -> Sample:
    """The sample of classes with changes of its target."""
    return Sample.model_validate_json(json.dumps(CLASSES | {"target": CLASSES["target"] | changes}))


def rows_of(declared: Sample, columns: tuple[Column, ...] = OF_CLASSES, **arguments: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(samples.generate(declared, columns, **arguments)))))


def best(row: dict[str, str], low: float = 2, base: float = 0, income: float = 1) -> str:
    """The class with the highest score, by the declaration above."""
    calm = row["sign"] == "1"
    high = base + income * float(np.interp(float(row["income"]), [0, 10, 20], [-1, 1, 1]))
    scores = {
        "flat": 0.0,
        "low": low if row["sign"] == "-1" else -1.0,
        "high": high + 5 * (row["member"] == "true" and calm),
    }
    return max(scores, key=lambda name: scores[name])


@pytest.mark.parametrize(
    ("drift", "expected"),
    [(None, {}), (Drift(base=0.5), {"base": 0.5}), (Drift(effects={"income": 0.3}), {"income": 0.3})],
    ids=["as_declared", "base_is_of_the_last_class", "weaker_effect"],
)
def test_without_chance_the_class_with_the_highest_score_wins(drift: Drift | None, expected: dict[str, float]) -> None:
    rows = rows_of(classes(), drift=drift)
    assert {row["mood"] for row in rows} == {"flat", "low", "high"}
    assert [row["mood"] for row in rows] == [best(row, **expected) for row in rows]


@pytest.mark.parametrize("temperature", [0.5, 2])
def test_classes_are_drawn_in_proportion_to_the_exponential_of_their_scores(temperature: float) -> None:
    declared = classes(temperature=temperature, classes={"flat": {}, "low": {"base": -1}, "high": {"base": 0.5}})
    moods = [row["mood"] for row in rows_of(declared, rows=20_000)]
    weights = np.exp(np.array([0, -1, 0.5]) / temperature)
    drawn = [moods.count(name) / len(moods) for name in ("flat", "low", "high")]
    assert drawn == pytest.approx(weights / weights.sum(), abs=0.01)


def test_a_drift_does_not_touch_what_chance_is_there() -> None:
    declared = classes(temperature=1)
    before, after = rows_of(declared), rows_of(declared, drift=Drift(base=0.2))
    assert all(b == a for b, a in zip(before, after, strict=True) if b["mood"] == "high")
    assert 0 < sum(b != a for b, a in zip(before, after, strict=True)) < len(before) / 5


def test_whole_numbers_can_be_drawn_by_weight_and_by_hidden_group() -> None:
    signs = [row["sign"] for row in rows_of(classes())]
    assert signs.count("1") / len(signs) == pytest.approx(0.5, abs=0.03)
    assert signs.count("-1") == pytest.approx(signs.count("0"), rel=0.15)


def test_a_quotient_is_missing_where_it_would_divide_by_nothing() -> None:
    rows = rows_of(classes())
    told = [row for row in rows if float(row["people"])]
    assert len(told) < len(rows)
    assert all(row["share"] == "" for row in rows if not float(row["people"]))
    expected = [float(row["income"]) / float(row["people"]) for row in told]
    assert [float(row["share"]) for row in told] == pytest.approx(expected, abs=0.00501)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (Column(name="mood", type="category", categories=("high", "flat")), "draws low for the category column 'mood'"),
        (Column(name="mood", type="boolean"), "draws flat, high, low for the boolean column 'mood'"),
        (Column(name="sign", type="integer", range=(0, 1)), "draws -1 for the integer column 'sign'"),
        (Column(name="member", type="integer"), "draws false, true for the integer column 'member'"),
        (Column(name="income", type="integer"), "draws fractions for the integer column 'income'"),
        (Column(name="income", type="boolean"), "draws numbers for the boolean column 'income'"),
        (Column(name="income", type="timestamp", role="ignore"), "draws numbers for the timestamp column 'income'"),
    ],
)
def test_a_sample_of_classes_that_does_not_fit_the_spec_is_refused(column: Column, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        rows_of(classes(), (column,))


@pytest.mark.parametrize(
    ("columns", "drift", "says"),
    [
        ((Column(name="absent", type="number"),), None, "does not draw 'absent'"),
        ((Column(name="kind", type="number"),), None, "draws flat, house for the number column 'kind'"),
        ((Column(name="kind", type="category", categories=("flat",)),), None, "draws house for"),
        ((Column(name="age", type="category", categories=("flat",)),), None, "draws numbers for"),
        ((Column(name="age", type="number"),), "poorer", "no drift 'poorer'"),
    ],
)
def test_a_sample_that_does_not_fit_the_spec_is_refused(
    columns: tuple[Column, ...], drift: str | None, says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        list(samples.generate(sample(), columns, drift=drift))


@pytest.mark.parametrize(
    ("content", "says"),
    [("rows: [", "cannot be read"), ("rows: 0", "rows: Input should be greater"), ("5", "sample: Input should be")],
)
def test_a_broken_declaration_is_an_error_that_names_the_place(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "sample.yaml").write_text(content)
    with pytest.raises(SpecError, match=r"sample\.yaml") as error:
        samples.read(tmp_path)
    assert says in str(error.value)


def test_correlations_that_cannot_be_are_brought_to_the_nearest_that_can() -> None:
    impossible = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    found = nearest_correlation(impossible)
    assert np.allclose(np.diag(found), 1)
    assert np.linalg.eigvalsh(found).min() > 0
    assert (np.sign(found) == np.sign(impossible)).all()
    possible = np.array([[1, 0.5], [0.5, 1]])
    assert (nearest_correlation(possible) == possible).all()


def shipped() -> list[UseCase]:
    return list(registry.find(USE_CASES).use_cases)


@pytest.fixture(scope="module", params=shipped(), ids=lambda use_case: use_case.name)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[UseCase, Path]:
    """A shipped use case and its sample as a file."""
    use_case: UseCase = request.param
    path = tmp_path_factory.mktemp(use_case.name) / "sample.csv"
    samples.write(path, samples.read(USE_CASES / use_case.name), use_case.columns)
    return use_case, path


def test_a_shipped_sample_holds_what_its_spec_allows(drawn: tuple[UseCase, Path]) -> None:
    """Every value can be read, every class is there, and nearly every row keeps to all rules."""
    use_case, path = drawn
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == samples.read(USE_CASES / use_case.name).rows
    good = np.ones(len(rows), dtype=bool)
    for column in use_case.columns:
        texts = [row[column.source_header] for row in rows]
        allowed = {text: column.allows(meant(column, text)) for text in set(texts)}
        good &= np.array([allowed[text] for text in texts])
    assert good.mean() >= 1 - min(0.001, use_case.quality.max_bad_share)
    if use_case.classes:
        assert {row[use_case.target] for row in rows} == set(use_case.classes)


def meant(column: Column, text: str) -> float | bool | str | None:
    """What ingestion reads a text as."""
    read = reader(column)(text)
    if read == "\\N":
        return None
    if column.type == "boolean":
        return read == "t"
    return float(read) if column.type in ("number", "integer") else read


@pytest.mark.parametrize("use_case", shipped(), ids=lambda use_case: use_case.name)
def test_every_drift_of_a_shipped_sample_changes_it_and_can_be_written(use_case: UseCase) -> None:
    declared = samples.read(USE_CASES / use_case.name)
    before, *after = (
        "".join(samples.generate(declared, use_case.columns, rows=300, drift=drift))
        for drift in (None, *declared.drift)
    )
    assert len(after) >= 3
    assert len({before, *after}) == len(after) + 1


def test_a_shipped_sample_is_learnable_to_its_own_gate(drawn: tuple[UseCase, Path]) -> None:
    """A quick model on raw columns meets what real candidates are judged by: the whole, each slice, fairness."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    use_case, path = drawn
    kinds = {c.name: str for c in use_case.columns if c.type == "category"}
    rows = pd.read_csv(path, dtype=kinds)
    actual = encode(use_case, rows[use_case.target])
    features = pd.get_dummies(rows[[c.name for c in use_case.inputs]]).astype(float)
    # Rows that are the same thing stay together, as in every split.
    shares = pd.util.hash_pandas_object(rows[list(use_case.identity)], index=False) % 10
    held_out = (shares < 3).to_numpy()
    settings = {"max_iter": 200, "learning_rate": 0.08, "random_state": 0, "early_stopping": False}
    with threadpool_limits(1):  # more threads than idle processors are many times slower
        if use_case.classes:
            classifier = HistGradientBoostingClassifier(**settings).fit(features[~held_out], actual[~held_out])
            answers = classifier.predict_proba(features[held_out])
        else:
            regressor = HistGradientBoostingRegressor(**settings).fit(features[~held_out], np.log1p(actual[~held_out]))
            answers = np.expm1(regressor.predict(features[held_out]))
    judged = (use_case, rows[held_out], actual[held_out], answers)
    found = measure(use_case.task, actual[held_out], answers)
    for metric, limit in use_case.gate.thresholds.items():
        assert limit.min is None or found[metric] >= limit.min, (metric, found)
        assert limit.max is None or found[metric] <= limit.max, (metric, found)
    checks = (*slices.judge(*judged)[0], *fairness.judge(*judged)[0])
    assert [check for check in checks if check.verdict != "pass"] == []
    assert len({check.code.split(".")[1] for check in checks if check.code.startswith("slice.")}) == len(
        use_case.gate.slices
    )
