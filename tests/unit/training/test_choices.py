from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.domain.errors import DataError
from sluice.domain.use_case import UseCase
from sluice.training.choices import WAYS, Choices, Findings, choose
from sluice.training.snapshots import Part, Rows
from tests.unit.training.conftest import SPEC, spec

NEAR = {"name": "near", "columns": ["area", "rooms"], "k": [2, 6]}


def part(area: Any, rooms: Any, identity: Any = None) -> Part:
    """Training rows of given areas and rooms, alike in everything else."""
    count = len(area)
    frame = pd.DataFrame({"area": area, "rooms": rooms, "lift": [True] * count, "district": ["north"] * count})
    names = np.arange(count) if identity is None else identity
    return Part(frame, np.ones(count), names.astype(str).astype(object))


def with_gaps(values: Any, seed: int = 1) -> Any:
    return np.where(np.random.default_rng(seed).random(len(values)) < 0.1, np.nan, values)


def auto(**features: Any) -> UseCase:
    return spec(features={"impute": "auto", **features})


def test_where_nothing_is_open_the_spec_is_taken_at_its_word_and_no_row_is_looked_at() -> None:
    use_case = spec(features={"impute": "knn", "clusters": [{**NEAR, "k": 4}, {**NEAR, "name": "far", "k": [3, 3]}]})
    found = choose(use_case, part([], []))
    assert found == Findings(Choices("knn", {"near": 4, "far": 3}), (), {}, {}, {})


def test_gaps_in_a_straight_relation_are_filled_by_equations() -> None:
    area = np.random.default_rng(0).uniform(20, 200, 2000)
    found = choose(auto(), part(area, with_gaps(area / 20)))
    assert found.choices.impute == "iterative"
    assert found.overall["iterative"] < 0.1 * found.overall["mean"]


def test_gaps_in_a_crooked_relation_are_filled_by_neighbours() -> None:
    area = np.random.default_rng(0).uniform(20, 200, 2000)
    found = choose(auto(ratios=[]), part(area, with_gaps(10 + 5 * np.sin(area / 10))))
    assert found.choices.impute == "knn"


def test_gaps_that_nothing_tells_of_are_filled_by_the_mean() -> None:
    draw = np.random.default_rng(0)
    found = choose(auto(ratios=[]), part(draw.uniform(20, 200, 4000), with_gaps(draw.exponential(3, 4000))))
    assert found.choices.impute == "mean"
    # On the scale of the column's own deviation, the mean errs by about one.
    assert found.imputations["mean"]["rooms"] == pytest.approx(1, abs=0.2)


def test_copies_of_a_row_do_not_give_its_hidden_value_away() -> None:
    draw = np.random.default_rng(0)
    area, rooms = draw.uniform(20, 200, 100), with_gaps(draw.normal(10, 3, 100))
    copies = part(np.tile(area, 40), np.tile(rooms, 40), identity=np.tile(np.arange(100), 40))
    assert choose(auto(ratios=[]), copies).imputations["knn"]["rooms"] > 0.9


def test_a_ratio_does_not_give_its_hidden_half_away() -> None:
    draw = np.random.default_rng(0)
    rows = part(draw.uniform(50, 60, 2000), with_gaps(draw.uniform(5, 10, 2000)))
    found = choose(auto(), rows)
    assert min(found.imputations[way]["rooms"] for way in WAYS) > 0.9


def test_the_way_with_the_smallest_error_over_all_columns_with_gaps_is_chosen(rows: Rows) -> None:
    found = choose(auto(), rows.train)
    assert set(found.imputations) == set(found.overall) == set(WAYS)
    for way, by_column in found.imputations.items():
        assert set(by_column) == {"rooms", "lift"}
        assert found.overall[way] == pytest.approx(np.sqrt(np.mean(np.square(list(by_column.values())))))
    assert found.choices.impute == min(found.overall, key=lambda way: found.overall[way])
    assert found.notes[0].startswith(f"impute: {found.choices.impute}, with the smallest error")


@pytest.mark.parametrize(
    "rooms", [np.arange(50.0), np.full(50, np.nan)], ids=["nothing is missing", "nothing is known"]
)
def test_where_no_way_can_be_tried_the_median_is_taken_and_said_to_be(rooms: Any) -> None:
    found = choose(auto(), part(np.arange(50.0) + 20, rooms))
    assert found.choices.impute == "median"
    assert found.imputations == {}
    assert found.notes == ("impute: median, as no training row has a gap that could be tried",)


def test_a_use_case_of_categories_alone_has_nothing_to_fill(rows: Rows) -> None:
    kept = tuple(c for c in spec().columns if c.name in ("district", "rent"))
    use_case = auto(ratios=[]).model_copy(update={"columns": kept})
    assert choose(use_case, rows.train).choices == Choices("median", {})


def test_as_many_clusters_are_taken_as_there_are_heaps() -> None:
    draw = np.random.default_rng(0)
    area = np.repeat([20.0, 100.0, 100.0, 200.0], 500) + draw.normal(0, 3, 2000)
    rooms = np.repeat([2.0, 2.0, 20.0, 20.0], 500) + draw.normal(0, 0.5, 2000)
    found = choose(spec(features={"clusters": [NEAR]}), part(area, rooms))
    assert found.choices == Choices("median", {"near": 4})
    assert set(found.silhouettes["near"]) == {2, 3, 4, 5, 6}
    assert found.silhouettes["near"][4] == max(found.silhouettes["near"].values()) > 0.8
    assert found.notes[0].startswith("clusters 'near': 4, with the best silhouette")


def test_clusters_are_found_among_filled_rows_of_columns_that_count_alike() -> None:
    # By size alone the area, which is one heap, would decide.
    draw = np.random.default_rng(0)
    rooms = with_gaps(np.repeat([2.0, 9.0, 16.0], 400) + draw.normal(0, 0.1, 1200))
    use_case = spec(features={"clusters": [{**NEAR, "columns": ["rooms"]}]})
    found = choose(use_case, part(draw.normal(100, 50, 1200), rooms))
    # The median fills gaps with a value of the middle heap.
    assert found.choices.clusters == {"near": 3}


def test_too_few_different_points_to_judge_by_are_an_error() -> None:
    with pytest.raises(DataError, match="too few different points to judge 2 to 6 clusters"):
        choose(spec(features={"clusters": [NEAR]}), part([50.0] * 40, [2.0] * 40))


def test_no_more_clusters_are_tried_than_there_are_different_points() -> None:
    found = choose(spec(features={"clusters": [NEAR]}), part([50.0, 60.0, 90.0] * 20, [2.0, 3.0, 9.0] * 20))
    assert set(found.silhouettes["near"]) == {2, 3}


def test_the_same_rows_give_the_same_findings_and_another_seed_others(rows: Rows) -> None:
    use_case = auto(clusters=[NEAR])
    found = choose(use_case, rows.train)
    assert choose(use_case, rows.train) == found
    other = use_case.model_copy(update={"training": use_case.training.model_copy(update={"seed": 4})})
    assert choose(other, rows.train).overall != found.overall


def test_findings_are_read_back_as_they_were_written(rows: Rows) -> None:
    found = choose(auto(clusters=[NEAR]), rows.train)
    assert Findings.from_json(found.to_json()) == found


def test_many_rows_are_settled_in_seconds() -> None:
    draw = np.random.default_rng(0)
    names = [f"c{index}" for index in range(10)]
    frame = pd.DataFrame(draw.normal(0, 1, (16_000, 10)), columns=names)
    frame = frame.mask(draw.random(frame.shape) < 0.1)
    columns = [{"name": name, "type": "number", "range": [-9, 9], "nullable": True} for name in names]
    document = {
        **SPEC,
        "columns": [*columns, {"name": "rent", "type": "number", "range": [0, 9]}],
        "features": {"impute": "auto", "clusters": [{"name": "near", "columns": names[:3], "k": [5, 15]}]},
        "serving": {"example": dict.fromkeys(names, 0.0)},
    }
    use_case = UseCase.model_validate(document, strict=False)
    rows = Part(frame, np.ones(len(frame)), np.arange(len(frame)).astype(str).astype(object))
    started = time.process_time()
    choose(use_case, rows)
    assert time.process_time() - started < 20
