"""What a drafted folder's files say."""

from __future__ import annotations

import dataclasses
import re

import pytest

from sluice.ingestion.drafting import assumptions, baseline, contents, findings, fitting, folder, profile, thresholds
from sluice.ingestion.drafting.draft import Draft
from tests.unit.ingestion.drafting import files

HOSTILE = ("a <b>x</b>", "![x](http://e)", "tick ` and `range`", "pi|pe", "&lt;i&gt; *c* _d_")


@pytest.fixture(scope="module")
def draft(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    """A draft of a file whose names and values look like Markdown."""
    rows = [
        [(i * 31) % 97, (i * 17) % 89, (i * 7) % 83, "on" if i % 2 else "off", HOSTILE[i % 5].upper(), (i * i) % 13]
        for i in range(300)
    ]
    for i, row in enumerate(rows):
        row[1] = "" if i % 2 else row[1]
    path = files.write(tmp_path_factory.mktemp("tick ` and") / "f.csv", [*HOSTILE, "y"], rows)
    assumed = assumptions.assume("drafted", profile.take(contents.read(path)), "y", "regression")
    reached = baseline.reach(assumed.inputs, assumed.observed, assumed.problem)
    told = (*findings.of(assumed, reached), *(findings.Finding("decide", f"{text!r} in `range`") for text in HOSTILE))
    errors = thresholds.errors("regression", reached, assumed.parts.counts["test"])
    demanded = thresholds.demand("regression", reached, errors, better_than_chance=False)
    return Draft(assumed, reached, errors, demanded, fitting.fit(assumed, reached), told, "ops@example.org")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("<b>", r"a \<b\>x\</b\>"),
        ("![x]", r"!\[x\](http\://e)"),
        ("http://", r"(http\://e)"),
        ("tick ` and", r"tick \` and `range`"),
        ("pi|pe", r"pi\|pe"),
        ("&lt;", r"\&lt;i\&gt; \*c\* \_d\_"),
    ],
)
def test_what_a_file_says_is_no_markdown(draft: Draft, raw: str, shown: str) -> None:
    lines = [line for line in folder.readme(draft).splitlines() if not line.startswith("Drafted from")]
    assert not [line for line in lines if re.search(rf"(?<!\\){re.escape(raw)}", line)]
    assert {line[0] for line in lines if shown in line} == {"|", "-"}


def test_code_in_a_finding_stays_code(draft: Draft) -> None:
    said = dataclasses.replace(draft, findings=(findings.Finding("decide", "see `split: {identity: [a_b]}`"),))
    assert "- see `split: {identity: [a_b]}`\n" in folder.readme(said)


def test_a_path_with_a_backtick_is_code(draft: Draft) -> None:
    assert f"Drafted from `` {draft.assumed.profile.contents.path} `` (300 rows)." in folder.readme(draft)


def test_what_a_file_says_stays_as_it_is_in_the_spec(draft: Draft) -> None:
    assert r"\<b\>" not in folder.files(draft)["use_case.yaml"]
