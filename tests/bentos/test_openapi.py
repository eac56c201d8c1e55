"""The description of the interface, held against the running service by what Schemathesis makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from local import keys
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.registry import find
from tests.bentos import shipped
from tests.bentos.servers import Service

HERE = Path(__file__).parent
SHIPPED = {use_case.name: use_case for use_case in find(shipped.USE_CASES).use_cases}
#: Requests for all of them together.
SENT = 10_000


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


@pytest.mark.parametrize(
    "examples", [12, pytest.param(120, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=lambda n: f"{n}"
)
def test_what_is_made_of_the_document_is_answered_as_it_says(
    scene: Scene, examples: int, tmp_path: Path, say: Callable[[str], None]
) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(scene.document()))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    options = {"--url": scene.service.url, "--max-examples": str(examples), "--report-har-path": "sent.har"}
    done = subprocess.run(
        [*command, "openapi.json", *(part for pair in options.items() for part in pair)],
        env={"SLUICE_KEY": scene.key, "PYTHONPATH": str(HERE.parents[1]), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    Path(f"/tmp/fuzz/out-{scene.service.environment['SLUICE_USE_CASE']}.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    sent = json.loads((tmp_path / "sent.har").read_text())["log"]["entries"]
    statuses = Counter(entry["response"]["status"] for entry in sent)
    say(f"{len(sent)} requests by Schemathesis: {dict(sorted(statuses.items()))}")
    # Of 12 requests for each operation in `make test`, and ten times as many in `make soak`.
    assert len(sent) * len(SHIPPED) >= SENT * examples / 120
    assert max(statuses) < 500
