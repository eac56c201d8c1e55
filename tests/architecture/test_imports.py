"""The house stands: imports go down only, and parsing a DAG loads nothing heavy."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ROOTS = ("plugins", "bentos", "include")


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    environment = os.environ | {"PYTHONPATH": ":".join(str(REPOSITORY / root) for root in ROOTS)}
    done = subprocess.run(
        [linter, "--no-cache"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_code_knows_a_use_case_by_name() -> None:
    names = [path.parent.name for path in (REPOSITORY / "include" / "use_cases").glob("*/use_case.yaml")]
    sources = [p for room in ("plugins", "bentos", "dags") for p in (REPOSITORY / room).rglob("*.py")]
    knowing = [
        f"{path.relative_to(REPOSITORY)} names {name}"
        for path in sources
        for name in names
        if f'"{name}"' in path.read_text(encoding="utf-8") or f"'{name}'" in path.read_text(encoding="utf-8")
    ]

    assert not knowing
