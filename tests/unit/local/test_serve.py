"""The model server's launcher: the champion's bento where it is there, the source where not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local import serve
from local.state import State
from tests.unit.local.conftest import Script

ALIAS = "/api/2.0/mlflow/registered-models/alias"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    for name in ("MLFLOW_TRACKING_URI", "SLUICE_OBJECT_STORE"):
        monkeypatch.delenv(name, raising=False)
    return State(tmp_path)


def release(state: State, content: str) -> None:
    pointer = state.store / "releases" / "housing" / "champion.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text(content)


def built(state: State, name: str, version: str) -> Path:
    folder = state.bentos / "bentos" / name / version
    folder.mkdir(parents=True)
    (folder / "bento.yaml").touch()
    return folder


def test_without_a_champion_it_serves_from_source(state: State) -> None:
    assert serve.bento(state, "housing") is None


def test_a_champion_is_served_by_the_bento_it_was_tested_in(state: State) -> None:
    release(state, json.dumps({"version": 3, "bento": "housing:abc", "bundle_sha256": "0"}))
    folder = built(state, "housing", "abc")

    assert serve.bento(state, "housing") == folder


def test_a_bento_that_is_gone_is_said(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    release(state, json.dumps({"version": 3, "bento": "housing:abc", "bundle_sha256": "0"}))

    assert serve.bento(state, "housing") is None
    assert "housing:abc is not in" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{}", "[]", "null"])
def test_a_damaged_pointer_is_said(state: State, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    release(state, content)

    assert serve.bento(state, "housing") is None
    assert "cannot be read" in capsys.readouterr().out


def test_the_champion_is_the_one_that_the_registry_names(
    state: State, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moved the alias may not have written the copy yet."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", script.url)
    tags = [{"key": "bundle_sha256", "value": "ab" * 32}]
    script.answers[ALIAS] = {"model_version": {"version": "4", "tags": tags}}
    release(state, json.dumps({"version": 3, "bento": "housing:abc", "bundle_sha256": "0"}))
    built(state, "housing", "abc")
    folder = built(state, "housing", "v4-abababababab")

    assert serve.bento(state, "housing") == folder
    assert script.asked == [(ALIAS, {"name": ["housing"], "alias": ["champion"]})]


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"model_version": {"version": "4", "tags": []}}],
    ids=["no champion", "no version", "no digest"],
)
def test_where_the_registry_names_none_the_copy_does(
    state: State, script: Script, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object] | None
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", script.url)
    if answer is not None:
        script.answers[ALIAS] = answer
    release(state, json.dumps({"version": 3, "bento": "housing:abc", "bundle_sha256": "0"}))
    folder = built(state, "housing", "abc")

    assert serve.bento(state, "housing") == folder
