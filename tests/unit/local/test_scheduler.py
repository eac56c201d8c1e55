"""What the scheduler imports ahead is what the lock installs."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "include" / "local" / "scheduler" / "airflow_local_settings.py"


def preloaded() -> list[str]:
    # Read, not imported: importing it imports everything that it names.
    [names] = [
        node.value
        for node in ast.parse(SOURCE.read_text()).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PRELOADED"
    ]
    return list(ast.literal_eval(names))


@pytest.mark.parametrize("module", sorted({name.split(".")[0] for name in preloaded()}))
def test_a_module_that_is_imported_ahead_is_installed(module: str) -> None:
    assert find_spec(module) is not None
