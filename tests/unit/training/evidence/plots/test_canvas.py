from __future__ import annotations

import math
from pathlib import Path

import pytest

from sluice.training.evidence.plots import canvas


@pytest.mark.parametrize(
    ("values", "ends"),
    [([1.0, 2.0, 3.0], (0.9, 3.1)), ([1, 2, 3, 2, 1, 2, 3, 1e150], (0.9, 3.1)), ([2.0], (1.9, 2.1)), ([], (0, 1))],
    ids=["alike", "one-far-off", "one", "none"],
)
def test_an_axis_shows_the_bulk_of_the_values(values: list[float], ends: tuple[float, float]) -> None:
    assert canvas.bounded(values) == pytest.approx(ends)
    assert canvas.bounded([*values, math.nan, math.inf]) == pytest.approx(ends)


def test_a_name_with_dollar_signs_is_drawn_as_it_stands(tmp_path: Path) -> None:
    figure, axes = canvas.canvas()
    axes.plot([1, 2], label="$a^$")
    axes.legend()
    canvas.label(axes, "Bands of prices", "$5_$10", "$10_$20")
    canvas.plain_text(figure)
    figure.savefig(tmp_path / "bands.png")
