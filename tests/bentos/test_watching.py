"""The dashboard, the alerts and the table in the documents: each shows what the service has, and nothing else."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry

from local import keys as command
from sluice.adapters.warehouse import Warehouse
from tabular.watching.metrics import Metrics
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.servers import Mlflow, Service, eventually, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "include" / "prometheus"
SCENES = Path(__file__).parent / "alerts.yml"
RICH = EXAMPLE | {"income": 16.0}
#: What Prometheus and the gateway make themselves.
FOREIGN = {"up", "push_time_seconds"}
#: Grafana's, as a short run can fill them.
FILLED = {"$__rate_interval": "5m", "$__range": "5m", '"$use_case"': '".*"', '"$version"': '".*"'}


def instruments() -> dict[str, str]:
    """What the service shows: name -> what it says of it."""
    registry = CollectorRegistry()
    Metrics(USE_CASE, registry)
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family.documentation
        for family in registry.collect()
    }


def board() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((REPOSITORY / "include/grafana/serving.json").read_text())
    return document


def expressions() -> dict[str, str]:
    """Title and letter of each of the dashboard's queries -> the query."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board()["panels"]
        for target in panel.get("targets", ())
    }


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((SHIPPED / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def named(query: str) -> set[str]:
    """The series that a query reads."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(by|on|group_left) \([^)]*\)", "", re.sub(r'"[^"]*"', "", query))
    words = re.findall(r"[a-z][a-z_]*(?![a-z_]* ?\()", bare)
    return {word.removesuffix("_bucket") for word in words if "_" in word or word == "up"}


def test_the_dashboard_shows_every_series_and_no_other() -> None:
    assert set().union(*map(named, expressions().values())) == instruments().keys()


def test_the_dashboards_variables_are_read_from_series_that_exist() -> None:
    asked = [variable["definition"] for variable in board()["templating"]["list"] if variable["type"] == "query"]
    assert {re.match(r"label_values\((\w+)", query)[1] for query in asked} <= instruments().keys()  # type: ignore[index]


def test_no_two_panels_lie_on_each_other() -> None:
    fields = [
        (x, y)
        for place in (panel["gridPos"] for panel in board()["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(fields) == len(set(fields))
    assert {x for x, _ in fields} <= set(range(24))
    assert len({panel["id"] for panel in board()["panels"]}) == len(board()["panels"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_reads_series_that_exist_and_is_in_the_runbook(rule: dict[str, Any]) -> None:
    assert named(rule["expr"])
    assert named(rule["expr"]) <= instruments().keys() | FOREIGN
    assert f"`{rule['alert']}`" in (REPOSITORY / "docs/operations.md").read_text()


def test_the_runbooks_table_says_what_the_service_says() -> None:
    text = (REPOSITORY / "docs/operations.md").read_text()
    section = text.partition("## Watching the endpoint")[2].partition("| alert |")[0]
    assert dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (.*) \|$", section, re.MULTILINE)) == instruments()


@pytest.mark.prometheus
def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "alerts.yml", tmp_path / "rules.yml")
    shutil.copy(SCENES, tmp_path / "scenes.yml")
    told = subprocess.run(["promtool", "test", "rules", "scenes.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    assert {rule["alert"] for rule in rules()} == set(re.findall(r"alertname: (\w+)", SCENES.read_text()))


class Watched:
    """A service that asks for keys, and a Prometheus that scrapes it as the shipped configuration says."""

    def __init__(self, service: Service, key: str, folder: Path) -> None:
        self.service = service
        self.headers = {"x-api-key": key}
        self.url = f"http://127.0.0.1:{free_port()}"
        configuration = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
        configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = (each for each in configuration["scrape_configs"] if each["job_name"] == "sluice")
        job["static_configs"] = [{"targets": [f"127.0.0.1:{service.port}"]}]
        configuration["scrape_configs"] = [job]
        shutil.copy(SHIPPED / "alerts.yml", folder)
        (folder / "serving.key").write_text(key)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        self._folder = folder

    def start(self) -> subprocess.Popen[bytes]:
        """Start Prometheus."""
        options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["prometheus", *options, f"--web.listen-address={self.url.removeprefix('http://')}"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        eventually(self._is_ready)
        return process

    def ask(self, path: str, **query: str) -> Any:
        """Ask Prometheus."""
        document = httpx.get(f"{self.url}/api/v1/{path}", params=query).json()
        assert document["status"] == "success", document
        return document["data"]

    def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        return False

    def metrics(self) -> str:
        """What the service shows."""
        return httpx.get(f"{self.service.url}/metrics", headers=self.headers).raise_for_status().text


@pytest.fixture(scope="module")
def watched(
    serve: Callable[..., Service], registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """The two, and a little of every traffic."""
    folder = tmp_path_factory.mktemp("watched")
    key = command.make(folder / "keys", "prometheus")
    service = serve(
        SLUICE_ACCESS="keys",
        SLUICE_API_KEYS=str(folder / "keys"),
        MLFLOW_TRACKING_URI=registry.url,
        SLUICE_WAREHOUSE_DSN=warehouse.dsn,
    )
    registry.promote(registry.publish(bundles.write(folder / "champion", Recipe(base=50))))
    service.wait()
    made = Watched(service, key, folder)
    process = made.start()
    # What was counted before the first scrape is no increase.
    eventually(lambda: made.ask("query", query="up == 1 and on () release_ready == 1")["result"])
    traffic(made, registry, folder)
    yield made
    registry.withdraw()
    process.kill()
    process.wait()


def traffic(watched: Watched, registry: Mlflow, folder: Path) -> None:
    """Answers, refusals, a challenger in shadow and one that fails."""
    service = watched.service
    assert service.predict(EXAMPLE).status_code == 401
    assert service.predict(EXAMPLE | {"income": "much"}, **watched.headers).status_code == 422
    rival = registry.publish(bundles.write(folder / "challenger", bundles.blind(Recipe(base=60))))
    registry.challenge(rival, "0")
    for series in ("shadow_scorings_total", "failed_over"):

        def shown(series: str = series) -> bool:
            assert service.predict(RICH, **watched.headers).status_code == 200
            return series in watched.metrics()

        eventually(shown, every=0.3)
        registry.share(rival, "1")


@pytest.mark.prometheus
def test_the_service_shows_what_it_declares_after_a_little_traffic(watched: Watched) -> None:
    shown = dict(re.findall(r"^# HELP (\S+) (.*)$", watched.metrics(), re.MULTILINE))
    assert shown == instruments()


@pytest.mark.prometheus
def test_the_metrics_are_well_formed(watched: Watched) -> None:
    told = subprocess.run(["promtool", "check", "metrics"], input=watched.metrics(), capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


@pytest.mark.prometheus
@pytest.mark.parametrize("title", expressions())
def test_a_real_prometheus_has_an_answer_to_every_query_of_the_dashboard(watched: Watched, title: str) -> None:
    query = expressions()[title]
    for name, value in FILLED.items():
        query = query.replace(name, value)
    assert "$" not in query
    eventually(lambda: watched.ask("query", query=query)["result"], every=0.5)


@pytest.mark.prometheus
def test_a_real_prometheus_takes_the_alerts_and_none_fires_for_a_healthy_service(watched: Watched) -> None:
    def judged() -> list[dict[str, Any]] | None:
        found = [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else None

    found = eventually(judged)
    assert {rule["name"] for rule in found} == {rule["alert"] for rule in rules()}
    assert [rule.get("lastError") for rule in found if rule["health"] != "ok"] == []
    assert {rule["name"] for rule in found if rule["alerts"]} <= {"SluiceModelIsOld"}
