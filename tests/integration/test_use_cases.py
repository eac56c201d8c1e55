"""A broken use case troubles no other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import LiveStack


@pytest.fixture
def added(live: LiveStack) -> Iterator[Path]:
    """A use case's folder that is there for one test: a copy of housing by another name."""
    folder = live.use_cases / "homes"
    shutil.copytree(live.use_cases / "housing", folder)
    spec = folder / "use_case.yaml"
    text = spec.read_text(encoding="utf-8").replace("name: housing", "name: homes", 1)
    spec.write_text(text.replace("title: Housing prices", "title: Homes", 1), encoding="utf-8")
    yield spec
    shutil.rmtree(folder)


def test_a_broken_spec_is_mailed_and_troubles_no_other(live: LiveStack, added: Path) -> None:
    added.write_text(added.read_text(encoding="utf-8").replace("metric: rmse", "metric: speed", 1), encoding="utf-8")
    seen = len(live.mails())

    check = live.finish(live.start("sluice_check"))

    assert check.state == "failed"
    mail = live.await_mail("platform", "check", "spec is broken: homes", seen=seen)
    assert "homes/use_case.yaml:" in mail["text"]
    live.run("housing_ingest")
    added.write_text(added.read_text(encoding="utf-8").replace("metric: speed", "metric: rmse", 1), encoding="utf-8")
    live.run("sluice_check")
    live.await_mail("platform", "check", "recovered: homes", seen=seen)
    assert len([mail for mail in live.mails()[seen:] if "check" in mail["subject"]]) == 2, "one cause sends one mail"
