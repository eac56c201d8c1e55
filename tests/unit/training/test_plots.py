from __future__ import annotations

from pathlib import Path

import matplotlib.image
import optuna
import pytest
from matplotlib.figure import Figure

from sluice.domain.use_case import UseCase
from sluice.training import plots, search
from sluice.training.snapshots import Rows
from tests.unit.training.test_candidate import make


@pytest.fixture(scope="module")
def drawn(flats: UseCase, rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    found = search.run(flats, rows.train, "s1", optuna.storages.InMemoryStorage())
    return dict(plots.draw(make(flats, rows, tmp_path_factory.mktemp("candidate")), found))


def test_every_plot_can_be_written_as_a_picture(drawn: dict[str, Figure], tmp_path: Path) -> None:
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert matplotlib.image.imread(tmp_path / f"{name}.png").shape[:2] == (500, 700)


def test_the_axes_say_what_they_show(drawn: dict[str, Figure]) -> None:
    labels = {name: figure.axes[0].get_xlabel() for name, figure in drawn.items()}
    assert labels == {
        "predicted_vs_actual": "observed rent [EUR]",
        "residuals": "predicted - observed rent [EUR]",
        "search": "trial",
        "importance": "RMSE added by shuffling rent [EUR]",
    }


def test_the_input_that_matters_most_is_on_top(drawn: dict[str, Figure]) -> None:
    names = [label.get_text() for label in drawn["importance"].axes[0].get_yticklabels()]
    assert sorted(names) == ["area", "district", "lift", "rooms"]
    assert names[-1] == "area"
