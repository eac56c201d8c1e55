"""A server that is as it must be is told from one that is not, or not yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import keys
from local.errors import StackError
from local.smoke import Look, check
from tests.bentos import bundles
from tests.bentos.servers import Service
from tests.unit.local.conftest import Script


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "api-keys.jsonl"


@pytest.fixture(scope="module")
def key(ring: Path) -> str:
    return keys.make(ring, "smoke")


@pytest.fixture(scope="module")
def service(key: str, ring: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that asks for keys, and that nobody has waited for."""
    bundle = bundles.write(tmp_path_factory.mktemp("bundle"))
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}), encoding="utf-8")
    told = {"SLUICE_BUNDLE": str(bundle), "SLUICE_ACCESS": "keys", "SLUICE_API_KEYS": str(ring)}
    started = Service(tmp_path_factory.mktemp("home"), told).start()
    yield started
    started.kill()


def test_a_server_is_waited_for_and_does_what_it_must(service: Service, key: str) -> None:
    looks: list[Look] = []

    check(f"{service.url}/", key, looks.append, patience=90, every=0.2)

    assert [look.what for look in looks] == ["ready", "serves", "predicts", "refuses"]
    assert looks[1].found == "rents, version 3"
    assert looks[2].found == f"{bundles.predict(bundles.EXAMPLE, 100.0)} USD"


@pytest.mark.parametrize("wrong", ["", "slk_wrong"])
def test_without_its_key_nothing_can_be_said(service: Service, wrong: str) -> None:
    with pytest.raises(StackError, match=r"its card: HTTP 401 .* set SLUICE_API_KEY"):
        check(service.wait().url, wrong, lambda _: None)


def test_one_that_never_gets_ready_is_told_with_its_last_answer(script: Script) -> None:
    script.answers["/livez"] = {}

    with pytest.raises(StackError, match=r"not ready after \d+ s: /readyz: HTTP 404"):
        check(script.url, "", lambda _: None, patience=0.3, every=0.1)

    assert [path for path, _ in script.asked].count("/readyz") > 1


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ({"predictions": [{"prediction": 5}]}, "what is no JSON: HTTP 200 and not 400"),
        ({"predictions": [{"prediction": None}]}, "its own example has no prediction"),
        ({"predictions": []}, "its own example has no prediction"),
        (["other"], "its own example has no prediction"),
    ],
    ids=["takes everything", "no number", "nothing", "something else"],
)
def test_one_that_answers_wrongly_is_not_taken_for_well(script: Script, answer: object, wrong: str) -> None:
    script.answers |= {"/livez": {}, "/readyz": {}, "/": {"example": {"a": 1}}, "/api/v1/predict": answer}

    with pytest.raises(StackError, match=wrong):
        check(script.url, "", lambda _: None)


def test_one_that_is_no_model_server_is_told_so(script: Script) -> None:
    script.answers |= {"/livez": {}, "/readyz": {}, "/": {"hello": "world"}}

    with pytest.raises(StackError, match="has no example"):
        check(script.url, "", lambda _: None)
