from __future__ import annotations

from sluice.training.choices import Choices, Findings
from sluice.training.evidence.plots import findings

FOUND = Findings(
    choices=Choices("knn", {"place": 4}),
    notes=(),
    imputations={"median": {"a": 1.0, "b": 0.8}, "knn": {"a": 0.5, "b": 0.7}},
    overall={"median": 0.9, "knn": 0.6},
    silhouettes={"place": {3: 0.2, 4: 0.5, 5: 0.4}},
)


def test_each_thing_that_was_measured_has_a_plot() -> None:
    assert [name for name, _ in findings.draw(FOUND)] == ["imputation", "silhouette_place"]
    assert list(findings.draw(Findings(FOUND.choices, (), {}, {}, {}))) == []


def test_the_way_that_was_chosen_is_dark_and_each_column_is_told() -> None:
    (axes,) = findings.imputation(FOUND).axes
    assert axes.get_title() == "Hidden values filled in: knn was chosen"
    assert [bar.get_height() for bar in axes.patches] == [0.9, 0.6]  # type: ignore[attr-defined]
    assert axes.patches[0].get_facecolor() != axes.patches[1].get_facecolor()
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert axes.get_ylabel() == "RMSE [standard deviations of the column]"


def test_the_number_of_clusters_that_was_chosen_is_marked() -> None:
    (axes,) = findings.silhouette("place", FOUND.silhouettes["place"], 4).axes
    assert axes.get_xlabel() == "number of clusters k"
    assert [tuple(point) for point in axes.lines[1].get_xydata()] == [(4, 0.5)]  # type: ignore[union-attr]
