"""A use case from any CSV: written whole, or refused in one line with nothing left behind."""

from __future__ import annotations

import csv
import importlib
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from local.new_use_case import command, make
from sluice import registry
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SluiceError
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, expectations, quarantine, samples, sources
from sluice.settings import settings
from tests.unit.ingestion.drafting import files

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module", autouse=True)
def _great_expectations() -> None:
    """Imports Great Expectations, which uses what its own dependencies have deprecated, before warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("great_expectations.expectations.core")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of use cases."""
    path = tmp_path / "use cases"
    path.mkdir()
    monkeypatch.setenv("SLUICE_USE_CASES", str(path))
    settings.cache_clear()
    yield path
    settings.cache_clear()


def run(name: str, path: Path | str, target: str, *more: str) -> Result:
    return CliRunner().invoke(command, ["--name", name, "--csv", str(path), "--target", target, *more])


@pytest.fixture(scope="module", params=["wine", "messy", "decimal_commas"])
def drafted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[UseCase, Path]:
    """A use case that was drafted from a file, and its folder."""
    root = tmp_path_factory.mktemp("drafted it's")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_USE_CASES", str(root))
        path = root / "the file, 1.csv"
        target = {"wine": "target", "messy": "outcome", "decimal_commas": "y"}[request.param]
        if request.param == "decimal_commas":
            decimal_commas(path)
        else:
            getattr(files, request.param)(path)
        made, _ = make(request.param, str(path), target)
    return registry.read(made / "use_case.yaml"), made


def decimal_commas(path: Path) -> Path:
    """Numbers as they are written in most of Europe."""
    plain = files.numbers(path.with_suffix(".plain"), rows=400)
    rows = list(csv.reader(plain.read_text().splitlines()))
    plain.unlink()
    return files.write(path, rows[0], [[text.replace(".", ",") for text in row] for row in rows[1:]], ";")


Drafted = tuple[UseCase, Path]


def test_the_draft_is_a_use_case_with_a_sample(drafted: Drafted) -> None:
    use_case, folder = drafted
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "sample.yaml", "use_case.yaml"]
    assert registry.find(folder.parent).use_cases == (use_case,)
    assert expectations.suite(use_case).expectations


@pytest.mark.parametrize("source", ["file", "sample"])
def test_ingestion_accepts_the_file_and_the_sample(
    warehouse: Warehouse, drafted: Drafted, source: str, tmp_path: Path
) -> None:
    use_case, folder = drafted
    override = None if source == "file" else f"sample:{use_case.name}?rows=600"
    with sources.resolve(use_case, folder, override) as file:
        batch = batches.land(warehouse, use_case, file)
    swept = quarantine.sweep(warehouse, use_case, batch.batch_id)
    validation = expectations.validate(warehouse, use_case, batch.batch_id)
    assert (swept.by_reason, validation.failed) == ({}, ())


def test_the_draft_says_what_it_assumed_where_it_did(drafted: Drafted) -> None:
    use_case, folder = drafted
    spec, readme = ((folder / name).read_text() for name in ("use_case.yaml", "README.md"))
    assert "a plain model:" in spec
    for heading in ("## What was assumed", "## What you should decide", "## Columns"):
        assert heading in readme
    assert str(folder.parent / "the file, 1.csv") in readme
    assert (use_case.schedule.ingest, use_case.schedule.train) == (None, None)
    assert use_case.source.uri == str(folder.parent / "the file, 1.csv")


def test_three_kinds_of_wine_are_three_classes(folder: Path, tmp_path: Path) -> None:
    done = run("wine", files.wine(tmp_path / "wine.csv"), "target")
    assert done.exit_code == 0, done.output
    use_case = registry.read(folder / "wine" / "use_case.yaml")
    assert (use_case.task, use_case.classes) == ("multiclass", ("0", "1", "2"))
    assert set(use_case.training.families) == {"logistic_regression", "random_forest", "hist_gradient_boosting"}
    assert 20 <= use_case.gate.min_test_rows <= 40
    assert "wine_ingest, then wine_train" in done.output
    assert "What you should decide" in done.output


def test_rows_that_the_gate_judges_by_have_no_say_in_its_thresholds(folder: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, noise = random.normal(0, 1, 300).round(4), random.normal(0, 0.5, 300)
    rows = [(v, f"{2 * v + e:.3f}") for v, e in zip(x, noise, strict=True)]
    path = files.write(tmp_path / "f.csv", ["x", "y"], rows)
    _, one = make("one", str(path), "y")
    held_out = ~one.assumed.parts.train
    changed = [(v, f"{random.normal(0, 2):.3f}" if out else y) for (v, y), out in zip(rows, held_out, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        other = tmp_path / "other"
        other.mkdir()
        patch.setenv("SLUICE_USE_CASES", str(other))
        _, again = make("one", str(files.write(path, ["x", "y"], changed)), "y")
    assert again.assumed.parts.train.tolist() == one.assumed.parts.train.tolist()
    assert (again.reached, again.demanded) == (one.reached, one.demanded)


def test_line_ends_of_any_kind_do_not_break_a_draft(folder: Path, tmp_path: Path) -> None:
    kinds = ["a\N{LINE SEPARATOR}b", "c\x85d", "plain"]
    rows = [(f"{(i * 31) % 97 / 7:.3f}", kinds[i % 3], f"over\ntwo {i % 3}", (i * i) % 13 / 5) for i in range(200)]
    path = files.write(tmp_path / "f.csv", ["x", "kind \N{LINE SEPARATOR}of", "lines", "y"], rows)
    done = run("ends", path, "y", "--task", "regression")
    assert done.exit_code == 0, done.output
    use_case = registry.read(folder / "ends" / "use_case.yaml")
    assert [c.name for c in use_case.columns] == ["x", "kind_of", "y"]
    assert use_case.column("kind_of").categories == tuple(sorted(kinds))
    assert "texts over several lines" in (folder / "ends" / "README.md").read_text()


def test_the_same_file_gives_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.numbers(tmp_path / "numbers.csv")
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path / name))
        made, _ = make("numbers", str(path), "y")
        written.append({p.name: p.read_bytes() for p in made.iterdir()})
    assert written[0] == written[1]


def test_a_person_overrules_the_task_and_the_positive_class(folder: Path, tmp_path: Path) -> None:
    rows = [(i / 7, (i * i) % 13 / 5, str(i % 3 // 2)) for i in range(200)]
    path = files.write(tmp_path / "f.csv", ["a", "b", "y"], rows)
    assert run("zero", path, "y", "--positive", "0").exit_code == 0
    assert registry.read(folder / "zero" / "use_case.yaml").positive_label == "0"
    assert run("number", path, "y", "--task", "regression").exit_code == 0
    assert registry.read(folder / "number" / "use_case.yaml").task == "regression"


def test_awkward_names_and_texts_survive(folder: Path, tmp_path: Path) -> None:
    random = [(i * 7919) % 101 for i in range(300)]
    rows = [(v, ["null", "no: #1", "a|b\x07", "it's"][v % 4], "on" if v > 50 else "[off]") for v in random]
    beside = [((v * 31) % 17, *row) for v, row in zip(random, rows, strict=True)]
    path = files.write(tmp_path / "f.csv", ["n", "on", "group", "yes"], beside)
    done = run("leaking", path, "yes", "--positive", "[off]")
    assert "a leak" in done.output
    path = files.write(
        tmp_path / "g.csv",
        ["n", "group", "yes"],
        [((v * 31) % 17, g, y) for v, (_, g, y) in zip(random, rows, strict=True)],
    )
    done = run("awkward", path, "yes", "--positive", "[off]")
    assert done.exit_code == 0, done.output
    use_case = registry.read(folder / "awkward" / "use_case.yaml")
    assert use_case.classes == ("on", "[off]")
    assert use_case.column("group").categories == ("a|b\x07", "it's", "no: #1")
    assert "[off]" in done.output


CSV = "a,b,y\n" + "".join(f"{i / 7},{(i * i) % 13},{i % 2}\n" for i in range(200))
REFUSED: dict[str, tuple[dict[str, str], bytes, str]] = {
    "no such file": ({"csv": "absent.csv"}, b"", "no such file"),
    "empty": ({}, b"", "is empty"),
    "binary": ({}, b"\x00\x01\x02", "is binary"),
    "spreadsheet": ({}, b"PK\x03\x04", "ZIP archive or a spreadsheet"),
    "Latin-1": ({}, CSV.replace("a,b", "\xe4,b").encode("latin-1"), "not UTF-8"),
    "NUL bytes": ({}, CSV.encode() + b"1,2,\x00\n", "is binary"),
    "ragged rows": ({}, CSV.encode() + b"1,2\n" * 50, "50 of 250 rows have not the 3 fields"),
    "repeated header": ({}, CSV.replace("a,b", "b,b").encode(), "'b' twice"),
    "no target column": ({"target": "Y"}, CSV.encode(), "did you mean 'y'?"),
    "header over lines": ({}, CSV.replace("a,b", '"a\nc",b').encode(), r"over several lines: 'a\nc'"),
    "target over lines": ({}, b"a,y\n" + b'1,"n\no"\n2,yes\n' * 100, "values of the target hold line ends"),
    "one class": ({"target": "b"}, b"a,b\n" + b"1,2\n" * 200, "one value only"),
    "no target value": ({}, b"a,y\n" + b"1,NA\n" * 200, "has no values"),
    "12 rows": ({}, "".join(CSV.splitlines(keepends=True)[:13]).encode(), "12 rows are too few"),
    "name taken": ({"name": "taken"}, CSV.encode(), "a use case 'taken' already"),
    "invalid name": ({"name": "Loan Data"}, CSV.encode(), "'Loan Data' cannot name a use case"),
    "path as name": ({"name": "../x"}, CSV.encode(), "cannot name a use case"),
    "no name": ({"name": ""}, CSV.encode(), "NAME is missing"),
    "no target": ({"target": ""}, CSV.encode(), "TARGET is missing"),
    "no such task": ({"task": "ranking"}, CSV.encode(), "use one of: regression, binary, multiclass"),
    "other class": ({"positive": "maybe"}, CSV.encode(), "the classes are: 0, 1"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_become_a_use_case_is_refused_in_one_line(folder: Path, tmp_path: Path, reason: str) -> None:
    changes, content, says = REFUSED[reason]
    (folder / "taken").mkdir()
    (tmp_path / "my data.csv").write_bytes(content)
    words = {"name": "drafted", "csv": "my data.csv", "target": "y"} | changes
    more = [f"--{key}={words[key]}" for key in ("task", "positive") if key in words]
    done = run(words["name"], tmp_path / words["csv"], words["target"], *more)
    assert done.exit_code == 1
    assert says in done.output
    assert done.output.count("\n") == 1
    assert done.output.startswith("error ")
    assert " -> " in done.output
    assert [p.name for p in folder.iterdir()] == ["taken"]


def test_a_draft_that_fails_half_way_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        assert not registry.find(folder).use_cases
        assert not registry.find(folder).broken
        raise SluiceError("no")

    monkeypatch.setattr(samples, "read", fail)
    with pytest.raises(SluiceError, match="no"):
        make("numbers", str(files.numbers(tmp_path / "f.csv")), "y")
    assert list(folder.iterdir()) == []


def test_make_passes_on_any_path(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "it's $HOME, `x`; & co.csv"
    words = ["NAME=drafted", f"CSV={path}", "TARGET=y"]
    make_it = ["make", "-s", "-o", ".venv/.installed", "new-use-case", *words]
    done = subprocess.run(make_it, cwd=REPOSITORY, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert f"no such file [{path}]" in done.stderr
