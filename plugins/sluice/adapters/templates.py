"""Templates: pages and mails as files, filled in so that no value of theirs becomes markup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sluice.domain.figures import plain

if TYPE_CHECKING:
    from jinja2 import Environment


def templates(folder: Path) -> Environment:
    """The templates of a folder; what ends in `.txt.j2` is text, everything else markup.

    A name that nobody gave a value is an error. The filter `plain` writes numbers as people read them.

    Args:
        folder: Holds the files.
    """
    # Local: many modules with a page are read by those who never make one.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(disabled_extensions=("txt.j2",), default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    return environment
