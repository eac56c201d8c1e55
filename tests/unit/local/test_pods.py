"""The manifests of the model servers are the same for every use case, but for their names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from local.errors import StackError
from local.pods import of_all, resource, serving
from local.state import REPOSITORY
from sluice.domain.errors import SpecError
from sluice.registry import find

SHIPPED = REPOSITORY / "include" / "use_cases"


def test_the_cluster_takes_every_name_of_a_use_case() -> None:
    assert [resource(name) for name in ("housing", "fuel_prices", "odd_")] == [
        "serving-housing",
        "serving-fuel-prices",
        "serving-odd",
    ]


def test_a_use_case_is_served_by_the_image_that_is_named() -> None:
    deployment, *others = yaml.safe_load_all(serving("fuel_prices", "registry.example.com/sluice-serving:1", user=1034))

    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == "registry.example.com/sluice-serving:1"
    assert pod["securityContext"]["runAsUser"] == 1034
    assert {"name": "SLUICE_USE_CASE", "value": "fuel_prices"} in container["env"]
    assert {each["metadata"]["name"] for each in (deployment, *others)} == {"serving-fuel-prices"}


@pytest.mark.parametrize("name", ["null", "yes"])
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(name: str) -> None:
    deployment, *_ = yaml.safe_load_all(serving(name, "sluice-serving"))

    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "SLUICE_USE_CASE", "value": name} in container["env"]


def test_all_are_those_that_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("housing", "loan"):
        shutil.copytree(SHIPPED / name, tmp_path / name)
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))

    documents = yaml.safe_load_all(of_all(["all"], "sluice-serving"))

    assert [each["metadata"]["name"] for each in documents if each["kind"] == "Deployment"] == [
        "serving-housing",
        "serving-loan",
    ]
    with pytest.raises(SpecError, match="'fuel'"):
        of_all(["fuel"], "sluice-serving")


def test_a_broken_use_case_is_not_left_out_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(SHIPPED / "loan", tmp_path / "loan")
    (tmp_path / "fuel").mkdir()
    (tmp_path / "fuel" / "use_case.yaml").write_text("name: fuel\n", encoding="utf-8")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))

    assert find(tmp_path).broken
    with pytest.raises(SpecError, match="fuel"):
        of_all(["all"], "sluice-serving")


@pytest.mark.parametrize("image", ["", 'a"\nkind: Secret', "${name}"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(StackError, match="is no image"):
        of_all(["housing"], image)
