"""A folder is all a model needs: a CSV becomes a live endpoint with one command, and no other file changes."""

from __future__ import annotations

import csv
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sklearn.datasets import load_wine

from tests.live import REPOSITORY, LiveStack


@pytest.fixture(scope="module")
def drafted(live: LiveStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The folders of two new use cases, drafted from their files; the stack has picked them up."""
    data = tmp_path_factory.mktemp("a new use case")
    wine, shop = data / "wine.csv", data / "shop visits.csv"
    write_wine(wine)
    write_messy(shop)
    before = tree(live.use_cases)
    added = {"wine": live.use_cases / "wine", "shop_visits": live.use_cases / "shop_visits"}
    try:
        draft(live, "wine", wine, "cultivar")
        draft(live, "shop_visits", shop, "Bought")
        assert {path for path in tree(live.use_cases) - before if path.parts[0] not in added} == set()
        yield added
    finally:
        for folder in added.values():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", ["wine", pytest.param("shop_visits", marks=pytest.mark.soak)])
def test_a_file_leads_to_a_live_endpoint(live: LiveStack, drafted: dict[str, Path], name: str) -> None:
    example = yaml.safe_load((drafted[name] / "use_case.yaml").read_text(encoding="utf-8"))["serving"]["example"]
    addresses = live.stack.up(print, lambda _: None)

    live.run(f"{name}_ingest")
    _, decision = live.promote(name, trials=4)
    assert decision["code"] == "promote", decision["message"]
    answer = live.predict(name, example, addresses)

    assert decision["code"] == "promote", decision["message"]
    assert answer["use_case"] == name
    assert len(answer["predictions"][0]["probabilities"]) == (3 if name == "wine" else 2)


def draft(live: LiveStack, name: str, csv: Path, target: str) -> str:
    """Run the command as `make new-use-case` does, into the stack's folder of use cases."""
    done = subprocess.run(
        [sys.executable, "-m", "local.new_use_case", "--name", name, "--csv", str(csv), "--target", target],
        env={**os.environ, "PYTHONPATH": "include:plugins", "SLUICE_USE_CASES": str(live.use_cases)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_wine(path: Path) -> None:
    """Scikit-learn's wine data: 178 rows, 13 numbers, 3 cultivars."""
    bundled = load_wine(as_frame=True)
    named = bundled.target.map(dict(enumerate(["barolo", "grignolino", "barbera"])))
    bundled.data.assign(cultivar=named).to_csv(path, index=False)


def write_messy(path: Path) -> None:
    """Shop visits as a shop might export them: 1,500 rows with every small disorder at once."""
    draw = random.Random(5)  # noqa: S311 - visits, not secrets
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([" Visit ID ", "Visited on", " Minutes", "Basket Value ", "member?", "Channel", "Bought"])
        for number in range(1500):
            table.writerow(_visit(draw, number))


def _visit(draw: random.Random, number: int) -> list[Any]:
    minutes, basket = draw.expovariate(1 / 12), draw.lognormvariate(7, 0.8)
    member, channel = draw.random() < 0.4, draw.choice(["web", "shop", "phone"])
    pull = 0.15 * (minutes - 12) + 1.5 * member - 1.2 * (channel == "phone") + draw.gauss(0, 0.7)
    row: list[Any] = [
        f"V{100000 + number}",
        f"{1 + number % 28:02}/{1 + number % 12:02}/2025",
        round(minutes, 1),
        f"{basket:,.2f}",
        draw.choice(["yes", "Y", "TRUE", "1"] if member else ["no", "N", "false", "0"]),
        channel,
        "Yes" if pull > 0 else "No",
    ]
    for position in range(2, 6):
        if draw.random() < 0.05:
            row[position] = draw.choice(["", "NA"])
    return row


def tree(folder: Path) -> set[Path]:
    """Every file below a folder."""
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
