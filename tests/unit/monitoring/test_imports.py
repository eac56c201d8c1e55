import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.monitoring.imports import later, listings


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that imports from its modules, each of which leaves a file behind when it is run."""
    folder = tmp_path / "quay"
    folder.mkdir()
    listed = "from quay import warden\nfrom .crane import lift as hoist\nfrom quay.crane import *\nweight = 7\n"
    (folder / "__init__.py").write_text(listed)
    for name, holds in (("crane", "lift = 5"), ("warden", "watch = 6")):
        ran = f"import pathlib\npathlib.Path({str(tmp_path)!r}, {name!r}).touch()\n"
        (folder / f"{name}.py").write_text(f"{ran}{holds}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "quay"]:
        del sys.modules[name]


def ran(library: Path) -> list[str]:
    return [name for name in ("crane", "warden") if (library / name).exists()]


def test_a_module_runs_when_a_name_of_its_is_asked_for(library: Path) -> None:
    with listings(["quay"]):
        quay = importlib.import_module("quay")

    assert ran(library) == []
    assert quay.hoist == 5
    assert ran(library) == ["crane"]
    assert quay.warden.watch == 6
    assert ran(library) == ["crane", "warden"]


def test_a_module_can_be_had_without_the_others(library: Path) -> None:
    with listings(["quay"]):
        importlib.import_module("quay.warden")

    assert ran(library) == ["warden"]


def test_what_a_package_does_beside_importing_is_done_for_who_asks(library: Path) -> None:
    with listings(["quay"]):
        quay = importlib.import_module("quay")

    assert (quay.weight, quay.lift) == (7, 5)
    with pytest.raises(AttributeError, match="rudder"):
        _ = quay.rudder


def test_other_packages_and_later_ones_run_as_ever(library: Path) -> None:
    with listings(["harbour"]):
        importlib.import_module("quay")

    assert ran(library) == ["crane", "warden"]


def test_names_out_of_a_library_that_comes_later_are_had_when_they_are_used(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (library / "quay" / "warden.py").open("a") as warden:
        warden.write("class Hook:\n    load = 3\n\n    def __init__(self, at):\n        self.at = at\n")
    (library / "yard.py").write_text("from quay.warden import Hook\n")
    with later("quay"):
        yard = importlib.import_module("yard")
    monkeypatch.delitem(sys.modules, "yard")

    assert ran(library) == []
    assert (yard.Hook(at=4).at, yard.Hook.load) == (4, 3)
    assert type(yard.Hook(at=4)) is importlib.import_module("quay.warden").Hook


def test_a_name_that_a_library_does_not_have_is_missed_when_it_is_used(library: Path) -> None:
    with later("quay"):
        rope = importlib.import_module("quay").rope

    with pytest.raises(AttributeError, match="rope"):
        rope()


def test_a_library_that_is_there_is_not_put_off(library: Path) -> None:
    (library / "quay" / "buoy.py").write_text("light = 8\n")
    quay = importlib.import_module("quay")
    with later("quay"):
        assert importlib.import_module("quay.buoy").light == 8

    assert sys.modules["quay"] is quay
