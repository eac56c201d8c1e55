"""The manifests are valid in every supported Kubernetes, and say what the code and the stack in containers say."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from local import pods
from sluice.registry import find
from sluice.release import container
from sluice.settings import Settings as TaskSettings
from tabular import settings as serving_settings
from tabular.web.probes import PROBES

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "include" / "kubernetes"
NAMES = [use_case.name for use_case in find(REPOSITORY / "include" / "use_cases").use_cases]
#: From the oldest that is still mended anywhere to the newest whose schemas there are.
VERSIONS = ["1.31", "1.34", "1.37"]
KINDS = ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]

Document = dict[str, Any]


def documents(text: str) -> list[Document]:
    return [each for each in yaml.safe_load_all(text) if each]


def of(name: str) -> list[Document]:
    return documents(pods.serving(name, "registry.example.com/sluice-serving:1"))


def task() -> Document:
    [pod] = documents((FOLDER / "pod_template.yaml").read_text(encoding="utf-8"))
    return pod


def config(name: str) -> dict[str, str]:
    """What a ConfigMap holds."""
    [found] = [
        each
        for each in documents((FOLDER / "settings.yaml").read_text(encoding="utf-8"))
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name
    ]
    return dict(found["data"])


def secret(name: str) -> set[str]:
    """Names of what a secret holds, by the command that makes it."""
    text = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
    [command] = re.findall(rf"kubectl create secret generic {name} (.*?)(?:\n\n|\nkubectl|```)", text, re.DOTALL)
    return set(re.findall(r"--from-literal=(\w+)=", command))


def spec_of(document: Document) -> Document:
    """A pod's spec."""
    found: Document = document["spec"] if document["kind"] == "Pod" else document["spec"]["template"]["spec"]
    return found


def every_pod() -> list[Document]:
    return [task(), of("housing")[0]]


def composed_for(file: str, service: str) -> dict[str, str]:
    """The variables of a service in containers."""
    found = yaml.safe_load((REPOSITORY / file).read_text(encoding="utf-8"))
    return dict(found["services"][service]["environment"])


def needed(composed: dict[str, str]) -> set[str]:
    """Those that have no default."""
    return {name for name, value in composed.items() if ":-" not in str(value)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_manifests_of_every_use_case_are_valid(name: str, version: str) -> None:
    found = of(name)

    assert [each["kind"] for each in found] == KINDS
    for document in found:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", ["pod_template.yaml", "settings.yaml"])
def test_the_others_are_valid(file: str, version: str) -> None:
    for document in documents((FOLDER / file).read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_key_that_there_is_not_is_noticed() -> None:
    deployment = of("housing")[0]
    deployment["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("document", every_pod(), ids=lambda each: each["kind"])
def test_no_pod_runs_as_root_or_writes_into_its_image(document: Document) -> None:
    spec = spec_of(document)

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for each in spec["containers"]:
        context = each["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert each["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in each["resources"]["limits"]


@pytest.mark.parametrize(
    ("document", "dockerfile"), [(task(), "airflow"), (of("housing")[0], "serving")], ids=["task", "serving"]
)
def test_pods_run_as_the_user_of_their_image(document: Document, dockerfile: str) -> None:
    text = (REPOSITORY / "include" / "images" / f"{dockerfile}.Dockerfile").read_text(encoding="utf-8")
    [number] = re.findall(r"useradd .*--uid (\d+)", text)

    assert spec_of(document)["securityContext"]["runAsUser"] == int(number)
    assert spec_of(document)["securityContext"]["fsGroup"] == int(number)


@pytest.mark.parametrize("document", every_pod(), ids=lambda each: each["kind"])
def test_no_secret_stands_in_a_manifest(document: Document) -> None:
    for each in spec_of(document)["containers"]:
        assert not [given["name"] for given in each["env"] if re.search("PASSWORD|SECRET|DSN|HASH", given["name"])]
    for name in ("sluice-serving", "sluice-tasks"):
        assert not [key for key in config(name) if re.search("PASSWORD|SECRET|DSN|ACCESS_KEY|CONN_", key)]


def test_servers_listen_where_the_code_does_and_are_asked_what_it_answers() -> None:
    deployment, service, *_ = of("housing")
    [server] = spec_of(deployment)["containers"]
    [port] = server["ports"]

    assert port["containerPort"] == container.PORT == service["spec"]["ports"][0]["port"]
    asked = [server[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")]
    assert [each["path"] for each in asked] == ["/livez", "/livez", "/readyz"]
    assert {each["path"] for each in asked} <= set(PROBES)
    assert all(each["port"] == port["name"] for each in asked)


def test_servers_read_every_variable_that_they_are_given() -> None:
    [server] = spec_of(of("housing")[0])["containers"]
    read = {field.alias for field in serving_settings.Settings.model_fields.values()}
    given = {each["name"] for each in server["env"]} | set(config("sluice-serving")) | secret("sluice-serving")

    assert {name for name in given if not name.startswith("AWS_")} <= read
    settings = serving_settings.read({each["name"]: each["value"] for each in server["env"]})
    mounted = {each["mountPath"] for each in server["volumeMounts"]}
    assert str(settings.api_keys.parent if settings.api_keys else None) in mounted
    assert str(settings.home.parent) in mounted


def test_servers_get_what_those_in_containers_get() -> None:
    [server] = spec_of(of("housing")[0])["containers"]
    given = {each["name"] for each in server["env"]} | set(config("sluice-serving")) | secret("sluice-serving")
    composed = composed_for("compose.serving.yaml", "serving-housing")

    # The image of the servers in containers says it.
    assert given - composed.keys() == {"BENTOML_HOME"}
    assert needed(composed) <= given


def test_each_kind_of_object_means_the_same_servers() -> None:
    deployment, service, scaler, budget, policy = of("housing")
    chosen = {"app.kubernetes.io/name": deployment["metadata"]["name"]}

    assert deployment["spec"]["template"]["metadata"]["labels"].items() >= chosen.items()
    assert deployment["spec"]["selector"]["matchLabels"] == chosen == service["spec"]["selector"]
    assert budget["spec"]["selector"]["matchLabels"] == chosen == policy["spec"]["podSelector"]["matchLabels"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    # A number in the deployment would undo the autoscaler's at every change.
    assert "replicas" not in deployment["spec"]
    assert scaler["spec"]["minReplicas"] > budget["spec"]["minAvailable"]


def test_a_task_gets_what_a_worker_gets_and_neither_queue_nor_key() -> None:
    [base] = task()["spec"]["containers"]
    worker = composed_for("docker-compose.yaml", "worker")
    given = {each["name"] for each in base["env"]} | set(config("sluice-tasks")) | secret("sluice-tasks")

    assert (base["name"], task()["spec"]["restartPolicy"]) == ("base", "Never")
    assert given <= worker.keys()
    # What the image or airflow.cfg says, and what the API server alone asks for.
    elsewhere = re.compile("PYTHONPATH|AIRFLOW__(API__HOST|CELERY.*|CORE__(AUTH_MANAGER|.*_FOLDER)|FAB__.*)")
    assert not [name for name in needed(worker) - given if not elsewhere.fullmatch(name)]
    assert not [name for name in given if re.search("SQL_ALCHEMY|FERNET|JWT|API__SECRET", name)]


def test_a_task_writes_where_airflow_does() -> None:
    [base] = task()["spec"]["containers"]
    mounted = {each["mountPath"] for each in base["volumeMounts"]}

    assert {"/tmp", "/sluice/var", "/sluice/var/log/airflow"} == mounted  # noqa: S108  of the pod alone
    config_file = (REPOSITORY / "airflow.cfg").read_text(encoding="utf-8")
    assert "base_log_folder = $AIRFLOW_HOME/log/airflow" in config_file
    assert {f"SLUICE_{name.upper()}" for name in TaskSettings.model_fields} >= {
        name for name in config("sluice-tasks") if name.startswith("SLUICE_")
    }
