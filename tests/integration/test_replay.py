"""The scenarios that ship, in full: sixty days each, of a use case of numbers and of one of classes."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from local.replay import replay

SCENARIOS = Path(__file__).resolve().parents[2] / "include" / "replays"
DAYS = 60


@pytest.fixture(scope="module")
def great_expectations() -> None:
    """Imports Great Expectations, which uses what its own dependencies have deprecated, before warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("great_expectations.expectations.core")


@pytest.mark.soak
@pytest.mark.usefixtures("great_expectations")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("use_case", ["housing", "loan"])
@pytest.mark.parametrize("scenario", sorted(path.stem for path in SCENARIOS.glob("*.yaml")))
def test_a_scenario_shows_what_its_file_says(
    use_case: str, scenario: str, tmp_path: Path, say: Callable[[str], None]
) -> None:
    lived = replay(use_case, scenario, DAYS, 0, tmp_path)

    for each in lived:
        say(f"{use_case} {scenario}: {each.what}: {each.found}")
    assert [each for each in lived if not each.met] == []
