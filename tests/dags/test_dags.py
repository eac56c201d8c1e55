"""Every use case has its DAGs, every DAG file is thin and parses fast, and every DAG says what it does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
FILES = sorted((REPOSITORY / "dags").glob("*.py"))
HEAVY = {
    "bentoml", "evidently", "great_expectations", "matplotlib", "mlflow", "numpy", "onnx", "onnxruntime",
    "optuna", "pandas", "pyarrow", "scipy", "skl2onnx", "sklearn",
}  # fmt: skip
PARSE_SECONDS = 3.0

#: Parses one file as the DAG processor does, and tells what it found, what it cost and what it loaded.
PARSER = """
import json, runpy, sys, time
import airflow.sdk
from airflow.sdk import DAG
before = set(sys.modules)
begin = time.perf_counter()
DAG.made = []
finish = DAG.__attrs_post_init__ if hasattr(DAG, "__attrs_post_init__") else None
names = runpy.run_path(sys.argv[1])
seconds = time.perf_counter() - begin
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"seconds": seconds, "loaded": sorted(loaded)}))
"""


def parsed(path: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", PARSER, path], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_a_docstring_two_imports_and_a_loop(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]

    assert len(lines) <= 12
    assert "airflow" in lines[0].lower(), "safe mode skips a file that does not say airflow"
    assert "dag" in lines[0].lower(), "safe mode skips a file that does not say dag"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parsing_a_dag_file_is_quick_and_loads_nothing_heavy(path: Path) -> None:
    answer = parsed(path)

    assert not HEAVY & set(answer["loaded"])
    assert answer["seconds"] < PARSE_SECONDS
