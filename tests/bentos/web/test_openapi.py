"""The description of the interface, held against the running service by what Schemathesis makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import httpx
import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from local import keys
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.registry import find
from tabular.web.pages import OWN, SWAGGER
from tests.bentos import shipped
from tests.bentos.servers import Service

HERE = Path(__file__).parents[1]
SHIPPED = {use_case.name: use_case for use_case in find(shipped.USE_CASES).use_cases}


class Scene(NamedTuple):
    """A service of one use case, and a key for it."""

    service: Service
    key: str

    def document(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.service.url}/openapi.json", headers={"x-api-key": self.key})
        document: dict[str, Any] = answer.raise_for_status().json()
        return document


@pytest.fixture(scope="module", params=SHIPPED)
def scene(
    request: pytest.FixtureRequest,
    serve: Callable[..., Service],
    warehouse: Warehouse,
    tmp_path_factory: pytest.TempPathFactory,
) -> Scene:
    use_case: UseCase = SHIPPED[request.param]
    folder = tmp_path_factory.mktemp(use_case.name)
    key = keys.make(folder / "keys.jsonl", "fuzz")
    service = serve(
        SLUICE_USE_CASE=use_case.name,
        SLUICE_BUNDLE=str(shipped.bundle(use_case, folder)),
        SLUICE_WAREHOUSE_DSN=warehouse.dsn,
        SLUICE_ACCESS="keys",
        SLUICE_API_KEYS=str(folder / "keys.jsonl"),
        SLUICE_RATE="0",
    )
    return Scene(service.wait(), key)


def test_the_document_is_openapi(scene: Scene) -> None:
    OpenAPIV31SpecValidator(scene.document()).validate()


def test_every_example_is_of_its_schema_and_answered(scene: Scene) -> None:
    document = scene.document()
    asked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for media, given in operation.get("requestBody", {"content": {}})["content"].items():
                jsonschema.validate(given["example"], given["schema"] | {"components": document["components"]})
                text = given["example"] if media == "text/csv" else json.dumps(given["example"])
                headers = {"x-api-key": scene.key, "content-type": media}
                answer = httpx.request(method, f"{scene.service.url}{path}", content=text, headers=headers)
                assert answer.status_code == 200, answer.text
                asked += 1
    assert asked == 5


def test_every_address_is_described(scene: Scene) -> None:
    described = scene.document()["paths"]
    files = {address for address in (*OWN, *SWAGGER) if PurePosixPath(address).suffix in (".css", ".js")}
    for path in (*described, *files, "/nothing"):
        answer = httpx.request("PATCH", f"{scene.service.url}{path}")
        allowed = {method.strip().lower() for method in answer.headers.get("allow", "").split(",")} - {""}
        assert allowed == (described.get(path, {}).keys() if path not in files else {"get"})


def test_a_service_that_is_open_asks_for_no_key(
    serve: Callable[..., Service], warehouse: Warehouse, tmp_path: Path
) -> None:
    use_case = next(iter(SHIPPED.values()))
    bundle = str(shipped.bundle(use_case, tmp_path))
    service = serve(SLUICE_USE_CASE=use_case.name, SLUICE_BUNDLE=bundle, SLUICE_WAREHOUSE_DSN=warehouse.dsn).wait()
    assert fuzzed(Scene(service, "none"), 3, tmp_path).keys() == {200, 400, 405, 413, 415, 422}


@pytest.mark.parametrize(
    ("examples", "least"),
    [(6, 1_000), pytest.param(400, 10_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
    ids=["test", "soak"],
)
def test_what_is_made_of_the_document_is_answered_as_it_says(
    scene: Scene, examples: int, least: int, tmp_path: Path, say: Callable[[str], None]
) -> None:
    statuses = fuzzed(scene, examples, tmp_path)
    say(f"{statuses.total()} requests by Schemathesis were answered {dict(sorted(statuses.items()))}")
    assert statuses.total() * len(SHIPPED) >= least
    assert max(statuses) < 500


def fuzzed(scene: Scene, examples: int, folder: Path) -> Counter[int]:
    """Let Schemathesis ask a service whatever its description calls for; how often each status was answered.

    Args:
        scene: The service and a key.
        examples: Requests for each operation, beside those for the bounds of everything.
        folder: Where its report is written.
    """
    (folder / "openapi.json").write_text(json.dumps(scene.document()))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    options = {"--url": scene.service.url, "--max-examples": str(examples), "--report-har-path": "sent.har"}
    done = subprocess.run(
        [*command, "openapi.json", *(part for pair in options.items() for part in pair)],
        env={"SLUICE_KEY": scene.key, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[:20_000] + done.stderr
    sent = json.loads((folder / "sent.har").read_text())["log"]["entries"]
    return Counter(entry["response"]["status"] for entry in sent)
