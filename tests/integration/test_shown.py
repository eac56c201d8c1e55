"""What the documents show a caller does what they say, tried against the live endpoint of housing prices."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from sluice.domain.use_case import UseCase
from tests.live import REPOSITORY, LiveStack

SHOWN = "http://127.0.0.1:3000"
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)


def blocks(name: str, language: str) -> list[str]:
    """The parts of a document in a language that ask the endpoint."""
    found = BLOCK.findall((REPOSITORY / name).read_text(encoding="utf-8"))
    return [text for kind, text in found if kind == language and SHOWN in text]


@pytest.fixture(scope="module")
def address(live: LiveStack) -> str:
    """The endpoint, with a release."""
    if live.champion("housing") is None:
        live.run("housing_ingest")
        live.promote("housing", trials=6)
    return live.addresses.serving("housing")


@pytest.fixture
def folder(tmp_path: Path, housing: UseCase) -> Path:
    """Where a caller stands, with a file of rows."""
    example = housing.serving.example
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(example))
        writer.writeheader()
        writer.writerows([example, example | {"median_income": 2.5}])
    return tmp_path


def follow(text: str, language: str, address: str, folder: Path) -> str:
    """Do what a document shows, and return what it prints."""
    command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
    ended = subprocess.run(
        [*command, text.replace(SHOWN, address)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "SLUICE_API_KEY": "of-no-use-here", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def asked(address: str, instance: dict[str, Any]) -> float:
    """What the endpoint predicts."""
    answer = httpx.post(f"{address}/api/v1/predict", json={"instances": [instance]}, trust_env=False)
    prediction: float = answer.raise_for_status().json()["predictions"][0]["prediction"]
    return prediction


def test_curl_and_python_of_the_readme_get_the_same_answer(address: str, folder: Path, housing: UseCase) -> None:
    [curl], [python] = blocks("README.md", "sh"), blocks("README.md", "python")
    by_curl = json.loads(follow(curl, "sh", address, folder))
    by_python = follow(python, "python", address, folder).split()
    prediction = asked(address, dict(housing.serving.example))
    assert by_curl["predictions"][0]["prediction"] == pytest.approx(prediction)
    assert float(by_python[0]) == pytest.approx(prediction)
    assert int(by_python[-1]) == by_curl["model_version"]


@pytest.mark.parametrize("language", ["sh", "python"])
def test_everything_that_the_api_page_shows_works(address: str, folder: Path, language: str) -> None:
    shown = blocks("docs/api.md", language)
    assert shown
    for text in shown:
        follow(text, language, address, folder)
        for answered in folder.glob("predictions*.csv"):
            assert len(answered.read_text(encoding="utf-8").splitlines()) == 3
            answered.unlink()
