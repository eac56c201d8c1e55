"""Wording: values as YAML, and text that stays what it is where YAML and Markdown read it."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import yaml

WIDTH = 110

#: What means something in Markdown or HTML, or makes a link of an address.
MEANS = re.compile(r"[\\`*_~\[\]<>&|]|:(?=//)")

#: Code as findings write it; nothing in it can mean something else.
CODE = re.compile(r"((?<!`)`\w(?:[\w.: {}\[\]]*[\w}\]])?`(?!`))")


def flow(value: Any) -> str:
    """A value as YAML writes it on one line."""
    text = _dumped(value, default_flow_style=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...").rstrip()


def block(value: Any) -> str:
    """A value as YAML writes it on several lines."""
    return _dumped(value, default_flow_style=None, width=WIDTH).rstrip()


def comment(text: str, indent: int = 0, hang: str = "") -> list[str]:
    """Text as comment lines."""
    start = f"{' ' * indent}# "
    wrapped = textwrap.wrap(
        _clean(text),
        WIDTH,
        initial_indent=start,
        subsequent_indent=start + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped or [start.rstrip()]


def prose(text: str) -> str:
    """Text for Markdown in which what a file's names and values hold stays what it is."""
    pieces = CODE.split(_clean(text))
    return "".join(piece if i % 2 else MEANS.sub(r"\\\g<0>", piece) for i, piece in enumerate(pieces))


def code(text: str) -> str:
    """Text as code, between more backticks than it has in a row."""
    text = _clean(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _clean(text: str) -> str:
    """Text on one line that any reader takes."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _dumped(value: Any, **how: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, **how)
    # YAML would read these as a line's end, and so as a space, where they stand as they are.
    broken = any(end in text for end in ("\x85", "\N{LINE SEPARATOR}", "\N{PARAGRAPH SEPARATOR}"))
    return yaml.safe_dump(value, sort_keys=False, **how) if broken else text
