from pathlib import Path

import pytest
from jinja2 import UndefinedError

from sluice.adapters.templates import templates


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("page.html.j2", "mail.txt.j2"):
        (tmp_path / name).write_text("{{ said }}, {{ rows | plain }} rows", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [("page.html.j2", "&lt;b&gt;, 12,000 rows"), ("mail.txt.j2", "<b>, 12,000 rows")],
    ids=["markup", "text"],
)
def test_values_are_escaped_where_they_could_become_markup(folder: Path, name: str, text: str) -> None:
    assert templates(folder).get_template(name).render(said="<b>", rows=12000) == text


def test_a_template_that_is_given_as_text_escapes_too(folder: Path) -> None:
    assert templates(folder).from_string("{{ said }}").render(said="<b>") == "&lt;b&gt;"


def test_a_value_that_is_missing_is_an_error(folder: Path) -> None:
    with pytest.raises(UndefinedError, match="rows"):
        templates(folder).get_template("page.html.j2").render(said="")
