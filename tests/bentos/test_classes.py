"""The running service with models of classes, and with a number whose interval is on the scale of logarithms.

One service serves them one after another, as the copies in its object store name them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import BINARY, EXAMPLE, LOGARITHMIC, MULTICLASS, USE_CASE, Recipe, predict, probabilities
from tests.bentos.servers import Service, eventually

VERSIONS = {1: BINARY, 2: MULTICLASS, 3: LOGARITHMIC}

#: 130 USD, where every class is as probable as the others.
EVEN = {"income": 10, "rooms": 3, "furnished": False, "place": "INLAND"}
CHEAP = {"income": 0, "rooms": None, "furnished": False, "place": "INLAND"}
INSTANCES = [EXAMPLE, EVEN, CHEAP]


@dataclass(frozen=True)
class Scene:
    """A service, and the object store that it follows."""

    service: Service
    releases: Path

    def promote(self, version: int) -> None:
        """Make a version the champion and wait until it serves."""
        name(self.releases, version)
        eventually(lambda: self.service.card()["version"] == version)

    def ask(self, *instances: dict[str, Any], **headers: str) -> dict[str, Any]:
        """The answer to a request that is right."""
        answer = self.service.predict(*instances, **headers)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


def name(releases: Path, version: int) -> None:
    new = releases / "champion.new"
    new.write_text(json.dumps({"version": version, "bento": f"rents:{version}"}))
    new.replace(releases / "champion.json")


@pytest.fixture(scope="module")
def scene(serve: Callable[..., Service], warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A service that starts with two classes."""
    store = tmp_path_factory.mktemp("store")
    releases = store / "releases" / USE_CASE
    for version, recipe in VERSIONS.items():
        bundles.write(releases / str(version), recipe)
    name(releases, 1)
    service = serve(SLUICE_OBJECT_STORE=store.as_uri(), SLUICE_WAREHOUSE_DSN=warehouse.dsn).wait()
    return Scene(service, releases)


def test_two_classes_are_answered_with_their_probabilities(scene: Scene) -> None:
    scene.promote(1)
    document = scene.ask(*INSTANCES)
    rest = {key: value for key, value in document.items() if key not in ("predictions", "request_id")}
    assert rest == {"unit": None, "level": 0.9, "positive": "Y", "use_case": "rents", "model_version": 1}
    said = [row["probabilities"] for row in document["predictions"]]
    assert said == [pytest.approx(probabilities(instance, BINARY)) for instance in INSTANCES]
    # 155, 130 and 105 USD; the first of equals at 130.
    assert [row["prediction"] for row in document["predictions"]] == ["Y", "N", "N"]
    assert [row["prediction_label"] for row in document["predictions"]] == ["Dear", "Cheap", "Cheap"]
    assert [row["prediction_set"] for row in document["predictions"]] == [["N", "Y"], ["N", "Y"], ["N", "Y"]]


def test_of_more_classes_the_set_leaves_out_the_improbable(scene: Scene) -> None:
    scene.promote(2)
    document = scene.ask(*INSTANCES)
    assert (document["positive"], document["model_version"]) == (None, 2)
    said = [row["probabilities"] for row in document["predictions"]]
    assert said == [pytest.approx(probabilities(instance, MULTICLASS)) for instance in INSTANCES]
    assert [row["prediction"] for row in document["predictions"]] == ["high", "low", "low"]
    sets = [row["prediction_set"] for row in document["predictions"]]
    assert sets == [["middle", "high"], ["low", "middle", "high"], ["low", "middle"]]


def test_an_interval_on_the_scale_of_logarithms_is_wider_above(scene: Scene) -> None:
    scene.promote(3)
    document = scene.ask(EXAMPLE, CHEAP)
    assert (document["unit"], document["level"]) == ("USD", 0.8)
    [dear, cheap] = [row["interval"] for row in document["predictions"]]
    below, above = (math.expm1(math.log1p(predict(CHEAP, 100.0)) + side) for side in (-0.5, 0.5))
    assert cheap == pytest.approx([below, above])
    # Cut to the most that the target may be.
    assert dear == pytest.approx([math.expm1(math.log1p(155.0) - 0.5), 200.0])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_openapi_document_describes_the_answer(scene: Scene, version: int) -> None:
    scene.promote(version)
    components = httpx.get(f"{scene.service.url}/openapi.json").json()["components"]
    described = {"$ref": "#/components/schemas/Answer", "components": components}
    answer = scene.ask(*INSTANCES)
    jsonschema.validate(answer, described)
    for member in answer["predictions"][0]:
        lacking = answer | {"predictions": [{k: v for k, v in answer["predictions"][0].items() if k != member}]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(lacking, described)
    odd = answer["predictions"][0] | {"prediction": None}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer | {"predictions": [odd]}, described)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_card_says_what_is_predicted(scene: Scene, version: int) -> None:
    scene.promote(version)
    card = scene.service.card()
    recipe: Recipe = VERSIONS[version]
    assert {label["value"]: label["title"] for label in card["output"]["labels"]} == recipe.labels
    for part in ("interval", "prediction_set"):
        promised = getattr(recipe, part)
        assert (card[part] and card[part]["level"]) == (promised and promised["level"])


@pytest.mark.parametrize("version", VERSIONS)
def test_answers_are_logged_as_they_were_given(scene: Scene, warehouse: Warehouse, version: int) -> None:
    scene.promote(version)
    request_id = f"kept-{version}"
    answer = scene.ask(*INSTANCES, **{"x-request-id": request_id})
    query = "SELECT * FROM serving.predictions WHERE request_id = %(request_id)s"
    logged = eventually(lambda: warehouse.rows(query, {"request_id": request_id}))
    by_id = {str(row["prediction_id"]): row for row in logged}
    assert len(by_id) == len(INSTANCES)
    for given, row in zip(INSTANCES, answer["predictions"], strict=True):
        kept = by_id[row["prediction_id"]]
        assert kept["features"] == given
        if VERSIONS[version].labels:
            assert (kept["prediction"], kept["label"]) == (None, row["prediction"])
            assert kept["probabilities"] == row["probabilities"]
        else:
            assert (kept["prediction"], kept["label"], kept["probabilities"]) == (row["prediction"], None, None)


@pytest.mark.parametrize(("version", "member"), [(1, "Y"), (2, "high")], ids=["positive class", "chosen class"])
def test_the_latest_prediction_of_classes_is_a_probability(scene: Scene, version: int, member: str) -> None:
    scene.promote(version)
    latest = scene.ask(CHEAP, EXAMPLE)["predictions"][-1]["probabilities"][member]
    series = f'latest_prediction{{use_case="rents",version="{version}"}} '
    lines = httpx.get(f"{scene.service.url}/metrics").text.splitlines()
    [shown] = [float(line.removeprefix(series)) for line in lines if line.startswith(series)]
    assert shown == pytest.approx(latest)
