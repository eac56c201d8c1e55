"""What becomes of each column of a file, and why."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sluice.domain.errors import DataError
from sluice.ingestion.drafting import assumptions, baseline, contents, design, findings, marginals, policies, profile
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.baseline import Problem
from tests.unit.ingestion.drafting import files


def assume(path: Path, target: str) -> Assumptions:
    return assumptions.assume("drafted", profile.take(contents.read(path)), target)


def told(assumed: Assumptions, kind: str | None = None) -> str:
    reached = baseline.reach(assumed.inputs, assumed.observed, assumed.problem)
    return "\n".join(f.text for f in findings.of(assumed, reached) if kind in (None, f.kind))


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Assumptions:
    return assume(files.messy(tmp_path_factory.mktemp("messy") / "messy.csv"), "outcome")


@pytest.mark.parametrize(
    ("header", "role", "why"),
    [
        ("Customer ID", "id", "name rows"),
        ("Age", "feature", "whole numbers"),
        ("income (EUR)", "feature", "whole numbers"),
        ("Owns home", "feature", "yes or no"),
        ("group", "feature", "3 categories"),
        ("signed up", None, r"a date \(written as %d.%m.%Y\)"),
        ("remark", None, "texts over several lines"),
        ("const", None, "always 'x'"),
        ("approved at", None, "a leak"),
    ],
)
def test_a_column_becomes_what_its_values_say(messy: Assumptions, header: str, role: str | None, why: str) -> None:
    choice = next(c for c in messy.choices if c.field.header == header)
    assert (choice.column.role if choice.column else None) == role
    assert re.search(why, choice.why)


def test_columns_are_declared_as_the_file_writes_them(messy: Assumptions) -> None:
    income = next(c for c in messy.columns if c.name == "income_eur")
    assert (income.header, income.type, income.thousands, income.nullable) == ("income (EUR)", "integer", ",", True)
    assert income.range is not None
    assert income.range[0] == 0
    assert income.range[1] > max(c.field.known.max() for c in messy.features if c.field.name == "income_eur")
    assert messy.target.categories == ("no", "yes")


def test_a_leak_is_told_loudly(messy: Assumptions) -> None:
    assert set(messy.leaking) == {"approved_at"}
    assert "LEAK: 'approved at'" in told(messy, "warning")


@pytest.mark.parametrize("leak", ["copy", "other unit", "gaps"])
def test_a_number_that_gives_a_number_away_is_a_leak(tmp_path: Path, leak: str) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(0, 1, 300), random.normal(100, 20, 300)
    given = {"copy": y, "other unit": np.exp(y / 30), "gaps": np.where(np.arange(300) % 10 == 0, np.nan, -y)}[leak]
    rows = [(f"{a:.3f}", f"{b:.6f}", "" if c != c else f"{c:.6f}") for a, b, c in zip(x, y, given, strict=True)]
    assumed = assume(files.write(tmp_path / "f.csv", ["x", "y", "z"], rows), "y")
    assert set(assumed.leaking) == {"z"}


def test_a_strong_column_is_no_leak(tmp_path: Path) -> None:
    assert assume(files.numbers(tmp_path / "f.csv"), "y").leaking == {}


@pytest.mark.parametrize("whole", ["file", "train"])
def test_the_logarithm_is_settled_by_rows_to_train_on(tmp_path: Path, whole: str) -> None:
    x = np.arange(300)
    plain = assume(files.write(tmp_path / "f.csv", ["x", "y"], [(i * 7 % 301, i / 10) for i in x]), "y")
    skewed = ~plain.parts.train if whole == "file" else plain.parts.train
    y = np.where(skewed, np.exp(x / 40), 5 + x % 10 / 10)
    again = assume(
        files.write(tmp_path / "f.csv", ["x", "y"], [(i * 7 % 301, f"{v:.4f}") for i, v in enumerate(y)]), "y"
    )
    assert again.objective.log is (whole == "train")


def test_copies_of_a_row_count_once_in_a_class(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [(f"{v:.4f}", "ab"[i % 2]) for i, v in enumerate(random.normal(0, 1, 2000))]
    assumed = assume(files.write(tmp_path / "f.csv", ["x", "y"], [*rows, *[("9.5", "c")] * 30]), "y")
    assert (assumed.objective.task, assumed.objective.given_up, assumed.rows) == ("binary", {"c": 30}, 2000)
    with pytest.raises(DataError, match=r"fewer than 8 different rows.*c \(1\)"):
        assume(files.write(tmp_path / "f.csv", ["x", "y"], [*rows, *[("9.5", "c")] * 50]), "y")


def test_a_leak_is_told_where_too_little_is_left_beside_it(tmp_path: Path) -> None:
    rows = [(i * 7919 % 101, "pqrs"[i % 4], "on" if i * 7919 % 101 > 50 else "off") for i in range(300)]
    with pytest.raises(DataError, match=r"different rows.*\(left out as a leak.*: v\)"):
        assume(files.write(tmp_path / "f.csv", ["v", "group", "y"], rows), "y")


def test_trees_look_at_some_columns_of_a_wide_file_only() -> None:
    def share(width: int) -> float:
        columns = {f"c{i}": np.arange(3.0) for i in range(width)}
        wide = design.of(dict.fromkeys(columns, ()), columns)
        return float(baseline.model("boosting", wide, Problem("regression"), 3).max_features)

    assert (share(100), share(400)) == (1, 0.25)


def test_folds_are_no_more_than_the_different_rows_of_a_class(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [(f"{v:.4f}", "ab"[i % 2]) for i, v in enumerate(random.normal(0, 1, 400))]
    few = [(f"{14 + i / 10}", "c") for i in range(8)] * 20
    assumed = assume(files.write(tmp_path / "f.csv", ["x", "y"], rows + few), "y")
    of_c = {v for v, c in zip(assumed.inputs.matrix[:, 0], assumed.observed, strict=True) if c == 2 and v >= 9}
    trained = {v for v, train in zip(assumed.inputs.matrix[:, 0], assumed.parts.train, strict=True) if train and v >= 9}
    assert len(of_c) == 8
    assert policies.training(assumed)["folds"] == max(2, min(5, len(trained)))
    assert len(trained) == 2


def test_many_numbers_are_not_all_drawn_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = np.repeat(random.normal(0, 1, (150, 1)), 62, axis=1) + random.normal(0, 0.1, (150, 62))
    rows = [[*(f"{v:.3f}" for v in line), f"{random.normal():.3f}"] for line in x]
    assumed = assume(files.write(tmp_path / "f.csv", [*(f"c{i}" for i in range(62)), "y"], rows), "y")
    named = {name for one, other, _ in marginals.correlations(assumed) for name in (one, other)}
    assert named == {f"c{i}" for i in range(60)}
    assert "60 of the 62 numbers go together" in told(assumed, "assumed")


def test_repeated_rows_are_no_leak_and_stay_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [(f"{a:.4f}", str(b)) for a, b in zip(random.normal(0, 1, 150), random.integers(0, 2, 150), strict=True)]
    assumed = assume(files.write(tmp_path / "f.csv", ["x", "y"], rows * 12), "y")
    assert assumed.leaking == {}
    assert "1,650 of 1,800 usable rows repeat the inputs of another" in told(assumed)
    assert "LITTLE TO LEARN" in told(assumed, "warning")


def test_rows_that_ingestion_will_refuse_are_told_and_counted(tmp_path: Path) -> None:
    path = files.numbers(tmp_path / "f.csv", rows=400)
    lines = path.read_text().splitlines()
    lines[1], lines[2], lines[3] = "oops,1,2", "1,2,", "1,2,3,4"
    path.write_text("\n".join(lines) + "\n")
    assumed = assume(path, "y")
    assert (assumed.rows, round(assumed.bad_share * 400)) == (397, 3)
    said = told(assumed, "warning")
    assert "1 values of 'x', such as 'oops', cannot be read" in said
    assert "1 rows have no 'y'" in said
    assert "1 rows have another number of fields than the header, the first on line 4" in said


def test_a_repeated_id_and_an_outlier_are_left_to_a_person(tmp_path: Path) -> None:
    path = files.numbers(tmp_path / "f.csv")
    lines = path.read_text().splitlines()
    lines = [f"{line},{'person_id' if i == 0 else 50 + (i * 7) % 200}" for i, line in enumerate(lines)]
    lines[5] = "900," + lines[5].split(",", 1)[1]
    path.write_text("\n".join(lines))
    said = told(assume(path, "y"), "decide")
    assert "'person_id' names 200 things in 300 rows" in said
    assert "'x' goes to 900" in said


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        (["x", "y"], [(i / 7, i % 2) for i in range(12)], "12 rows are too few: 100 are needed"),
        (["name", "y"], [(f"n{i}", i % 2) for i in range(300)], "no column is left to learn from: name: nearly"),
        (["x", "y"], [(i / 7, i % 2 if i < 100 else "") for i in range(300)], "67% of the rows cannot be used"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, header: list[str], rows: list[tuple[object, ...]], says: str
) -> None:
    with pytest.raises(DataError, match=says) as error:
        assume(files.write(tmp_path / "f.csv", header, rows), "y")
    assert error.value.action
    assert "f.csv" in error.value.where


def test_a_baseline_keeps_rows_of_one_group_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [(f"{a:.4f}", f"{b:.4f}") for a, b in random.normal(0, 1, (150, 2))]
    assumed = assume(files.write(tmp_path / "f.csv", ["x", "y"], rows * 4), "y")
    told = baseline.reach(assumed.inputs, assumed.observed, Problem("regression"), families=("boosting",))
    assert told.mean["r2"] < 0.1
