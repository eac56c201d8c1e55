"""What becomes of an upload's rows: the same as of the same rows in JSON, and a reason for each bad one."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular.answers.desk import Call, score
from tabular.answers.forms import BATCH
from tabular.files.cells import meant
from tabular.files.scorer import Scorer
from tabular.problem import ProblemError
from tabular.record.entries import Sheet, element, texts
from tabular.record.redaction import Redaction, redaction
from tabular.releases import bundle as loading
from tabular.releases.bundle import Bundle
from tabular.releases.standing import Release
from tests.bentos import bundles
from tests.bentos.bundles import BINARY, LOGARITHMIC, MULTICLASS, USE_CASE, Recipe, blind, predict

KINDS = {"income": "number", "rooms": "integer", "furnished": "boolean", "place": "category"}
NAMES = list(KINDS)
GOOD = "8.5,3,true,NEAR BAY"
RECIPES = {
    "a number": Recipe(),
    "a number on the scale log": LOGARITHMIC,
    "a number alone": Recipe(interval=None),
    "two classes": BINARY,
    "three classes": MULTICLASS,
    "no missing values": Recipe(nullable=()),
    "open categories": Recipe().with_limits(unseen_category="ignore"),
}


def release(folder: Path, recipe: Recipe) -> Release:
    loaded = loading.load(bundles.write(folder, recipe), USE_CASE, recipe.runtime_sha256)
    return Release(3, "baked", loaded, datetime.now(UTC))


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Release]:
    return {name: release(tmp_path_factory.mktemp("bundle"), recipe) for name, recipe in RECIPES.items()}


def uploaded(
    release: Release,
    rows: Sequence[str | bytes],
    header: str = ",".join(NAMES),
    kept: Redaction | None = None,
) -> tuple[list[dict[str, str]], list[Sheet]]:
    """The answer's rows, and what the log gets."""
    bundle = release.bundle
    scorer = Scorer(release, header.encode(), kept or redaction(bundle.contract, None), "r1", 1000)
    body = b"".join((row if isinstance(row, bytes) else row.encode()) + b"\n" for row in rows)
    parts = [scorer.answer(block) for block in (*scorer.cut(body or b"\n"), *scorer.cut(b""))]
    text = (scorer.header + b"".join(part.echoed.content for part in parts)).decode()
    found = list(csv.DictReader(io.StringIO(text), strict=True))
    assert all(None not in row and None not in row.values() for row in found)
    return found, [part.sheet for part in parts if part.sheet]


def asked(bundle: Bundle, release: Release, instance: dict[str, Any]) -> dict[str, Any] | None:
    """What the same row is answered in JSON; None where it is refused."""
    call = Call(json.dumps({"instances": [instance]}).encode(), BATCH, "r1", "", 0.0, 0.0)
    try:
        scored = score(release, call)
    except ProblemError:
        return None
    (document,) = bundle.outputs.documents(scored.answers, [scored.answer_id])
    return {**document, "row": dict(zip(bundle.schema.names, scored.rows[0], strict=True))}


CELLS = st.one_of(
    st.text("0123456789+-.eE naif_x", max_size=6),
    st.floats().map(repr),
    st.floats(-1, 21).map(repr),
    st.integers(-2, 60).map(str),
    st.integers().map(lambda power: str(10 ** abs(power % 400))),
    st.sampled_from(["", "true", "FALSE", "yes", " t ", "0", "1.0", "NEAR BAY", "INLAND", "near bay", "MOON", "007"]),
    st.sampled_from([" 5", "5 ", "\t5", "+5", ".5", "5.", "5.e0", "-0", "1e400", "1e-400", "nan", "inf", "0x10", "٣"]),
    st.text(max_size=4).filter(lambda text: "\r" not in text and text.isprintable()),
)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=6)
PLAUSIBLE = st.lists(
    st.tuples(
        st.floats(0, 20).map(repr) | CELLS,
        st.integers(1, 50).map(str) | CELLS,
        st.sampled_from(["true", "False", "1", "n"]) | CELLS,
        st.sampled_from(["NEAR BAY", "INLAND"]) | CELLS,
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("name", RECIPES)
@given(rows=ROWS | PLAUSIBLE)
@settings(max_examples=120, deadline=None)
def test_an_upload_answers_what_the_same_rows_are_answered_in_json(
    releases: dict[str, Release], name: str, rows: list[tuple[str, ...]]
) -> None:
    release = releases[name]
    bundle = release.bundle
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    found, sheets = uploaded(release, [text.getvalue()])
    assert len(found) == len(rows)
    logged = [row for sheet in sheets for row in told(sheet)]
    for cells, answer in zip(rows, found, strict=True):
        instance = {
            name: value
            for (name, kind), cell in zip(KINDS.items(), cells, strict=True)
            if (value := meant(cell, kind)) is not None
        }
        expected = asked(bundle, release, instance)
        assert [answer[name] for name in NAMES] == list(cells)
        assert bool(answer["error"]) is (expected is None), answer
        if expected:
            compare(answer, expected, logged.pop(0))
    assert not logged


def compare(answer: dict[str, str], expected: dict[str, Any], logged: dict[str, Any]) -> None:
    """Hold a row of an answer against the one in JSON."""
    assert logged == {**expected["row"], "id": answer["prediction_id"]}
    if expected.get("probabilities"):
        assert answer["prediction"] == expected["prediction"]
        assert answer["prediction_label"] == expected["prediction_label"]
        for value, probability in expected["probabilities"].items():
            assert float(answer[f"probability_{value}"]) == pytest.approx(probability, rel=1e-12)
    else:
        assert float(answer["prediction"]) == pytest.approx(expected["prediction"], rel=1e-12)
        ends = [float(answer[f"prediction_{end}"]) for end in ("low", "high") if f"prediction_{end}" in answer]
        assert ends == pytest.approx(expected["interval"] or [], rel=1e-12)


def told(sheet: Sheet) -> list[dict[str, Any]]:
    """What the log gets of each row, with the prediction's id."""
    rows = json.loads(sheet.written.features)
    assert len(rows) == sheet.size
    stem = sheet.answer_id[:-4]
    return [dict(zip(sheet.names, row, strict=True)) | {"id": f"{stem}{place:04x}"} for place, row in enumerate(rows)]


def test_rows_come_back_as_they_were_sent(releases: dict[str, Release]) -> None:
    found, _ = uploaded(releases["a number"], ['8.50,+3,TRUE,"NEAR BAY"', "1e1, 2,0,INLAND"])
    assert [[row[name] for name in NAMES] for row in found] == [
        ["8.50", "+3", "TRUE", "NEAR BAY"],
        ["1e1", " 2", "0", "INLAND"],
    ]
    assert [row["error"] for row in found] == ["", ""]


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("99,3,true,NEAR BAY", "income is out of range ('99'; allowed: a finite number from 0 to 20, in 10k USD)"),
        (
            "8.5,2.5,true,INLAND",
            "rooms is not a whole number ('2.5'; allowed: a whole number from 1 to 50, or nothing)",
        ),
        (",3,true,INLAND", "income is missing (allowed: a finite number from 0 to 20, in 10k USD)"),
        ("nan,3,true,INLAND", "income is not a number ('nan'; allowed: a finite number from 0 to 20, in 10k USD)"),
        ("8.5,3,perhaps,INLAND", "furnished is not a boolean ('perhaps'; allowed: true or false)"),
        ("8.5,3,true", "the row has 3 cells (allowed: 4, as the header)"),
        ("8.5,3,true,INLAND,7", "the row has 5 cells (allowed: 4, as the header)"),
        ('8.5,3,true,"INLAND', "the row has a quote that is not closed, or stands within a cell"),
        (b"8.5,3,true,\xff", "the row is not UTF-8 from its byte 12 on"),
        ("8.5,3,true,IN\0LAND", "the row has a NUL byte"),
        (f"8.5,3,true,{'x' * 200_000}", "the row is longer than 131072 bytes"),
    ],
)
def test_a_bad_row_gets_its_reason_and_the_others_go_on(
    releases: dict[str, Release], row: str | bytes, error: str
) -> None:
    found, sheets = uploaded(releases["a number"], [GOOD, row, GOOD])
    assert [each["error"] for each in found] == ["", error, ""]
    assert (found[1]["prediction"], found[1]["prediction_id"]) == ("", "")
    assert found[0]["prediction"] == found[2]["prediction"] != ""
    assert sum(sheet.size for sheet in sheets) == 2


def test_every_fault_of_a_row_is_told_in_so_many_words(releases: dict[str, Release]) -> None:
    ((row,), _) = uploaded(releases["a number"], ["high,0,maybe,MOON"])
    assert [fault.split(" ")[0] for fault in row["error"].split("; ") if " is " in fault] == NAMES
    ((row,), _) = uploaded(releases["a number"], [",".join(["x" * 5000] * 4)])
    assert len(row["error"]) == 500


def test_columns_that_are_no_inputs_are_given_back_and_not_logged(tmp_path: Path) -> None:
    tolerant = release(tmp_path, Recipe().with_limits(unknown_fields="ignore"))
    header, row = "note,place,income,rooms,furnished", '"a, ""b""\n\nc",NEAR BAY,8.5,,true'
    found, (sheet,) = uploaded(tolerant, [row, row], header)
    assert [each["note"] for each in found] == ['a, "b"\n\nc'] * 2
    assert set(sheet.names) == set(NAMES)


def test_an_input_without_a_column_is_missing_in_every_row(releases: dict[str, Release]) -> None:
    without, with_gap = (
        uploaded(releases["a number"], rows, header)[0][0]["prediction"]
        for rows, header in ((["8.5,true,INLAND"], "income,furnished,place"), (["8.5,,true,INLAND"], ",".join(NAMES)))
    )
    assert float(without) == float(with_gap) == predict({"income": 8.5, "furnished": True, "place": "INLAND"}, 100.0)


def test_a_row_that_the_graph_has_no_answer_for_gets_an_error(tmp_path: Path) -> None:
    found, (sheet,) = uploaded(release(tmp_path, blind(Recipe())), [GOOD, "16,3,true,INLAND", GOOD])
    assert [bool(row["error"]) for row in found] == [False, True, False]
    assert "no prediction" in found[1]["error"]
    assert len(json.loads(sheet.written.features)) == sheet.size == 2


@pytest.mark.parametrize(
    ("written", "logged"),
    [("007", 7), ("-0", 0), ("+5", 5), (".5", 0.5), ("5.", 5), (" 6", 6), ("1e1", 10), ("0.5", 0.5)],
)
def test_numbers_that_json_does_not_know_are_logged_as_it_writes_them(
    releases: dict[str, Release], written: str, logged: float
) -> None:
    _, (sheet,) = uploaded(releases["a number"], [GOOD, f"{written},03,t,INLAND"])
    assert [row["income"] for row in told(sheet)] == [8.5, logged]
    assert {json.dumps(row["rooms"]) for row in told(sheet)} == {"3"}


def test_what_is_sensitive_is_not_logged(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path)
    document = json.loads((folder / "contract.json").read_text())
    for given_, policy in zip(document["inputs"], ("hash", "drop", None, "hash"), strict=True):
        given_["sensitive"] = policy
    (folder / "contract.json").write_text(json.dumps(document))
    bundles.seal(folder)
    loaded = loading.load(folder, USE_CASE, Recipe().runtime_sha256)
    release_ = Release(3, "baked", loaded, datetime.now(UTC))
    kept = redaction(loaded.contract, b"key")
    _, (sheet,) = uploaded(release_, [GOOD, "1,,false,INLAND"], kept=kept)
    values = [[8.5, 3, True, "NEAR BAY"], [1.0, None, False, "INLAND"]]
    expected = [dict(zip(kept.names, row, strict=True)) for row in kept.rows(values)]
    assert [{name: row[name] for name in sheet.names} for row in told(sheet)] == expected


def test_predictions_of_classes_are_logged_with_their_probabilities(releases: dict[str, Release]) -> None:
    found, (sheet,) = uploaded(releases["three classes"], [GOOD, "0,1,false,INLAND"])
    assert sheet.written.predictions == b""
    assert sheet.written.labels == texts([element(row["prediction"]) for row in found], 2)
    for row, logged in zip(found, json.loads(sheet.written.probabilities), strict=True):
        assert {value: row[f"probability_{value}"] for value in logged} == {k: repr(v) for k, v in logged.items()}
        assert math.isclose(sum(logged.values()), 1)


def test_an_upload_of_a_header_alone_is_answered_by_one(releases: dict[str, Release]) -> None:
    assert uploaded(releases["a number"], []) == ([], [])
