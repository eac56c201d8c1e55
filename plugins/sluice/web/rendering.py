"""Rendering: pages of text and drawings, shut in so that they can neither load nor run anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, pass_context
from jinja2.runtime import Context

from sluice.adapters.templates import templates
from sluice.web import links

HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
#: Our own page: no script at all, nothing from outside.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

#: Shown beside a colour, for those who do not see it.
MARKS = {"good": "✓", "bad": "✗", "unsure": "?", "plain": "•"}


def page(template: str, now: datetime, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A page.

    Args:
        template: Its name, without `.html.j2`.
        now: What "3 min ago" is measured against; aware.
        values: What it shows.
        status: Of the answer.
    """
    text = _pages().get_template(f"{template}.html.j2").render(values, now=now)
    return HTMLResponse(text, status, {**HEADERS, "Content-Security-Policy": PAGE_POLICY})


def moment(at: datetime) -> str:
    """A moment as people write it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float | None) -> str:
    """A length of time in the two units that matter: 0.35 s, 48 s, 3 min 20 s, 2 h 5 min, 4 d 3 h."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.2g} s"
    rest = round(seconds)
    if rest < 60:
        return f"{rest} s"
    for unit, size, small, part in (("min", 60, "s", 1), ("h", 3600, "min", 60), ("d", 86400, "h", 3600)):
        if rest < size * {"min": 60, "h": 24, "d": 1 << 30}[unit]:
            much, little = divmod(rest, size)
            return f"{much} {unit}" + (f" {little // part} {small}" if little // part else "")
    return f"{rest} s"


def since(at: datetime, now: datetime) -> str:
    """How long before now a moment was, in one unit: 12 s ago, 3 min ago, 5 h ago, 4 d ago."""
    seconds = (now - at).total_seconds()
    if seconds < 0:
        return f"in {' '.join(span(max(1, round(-seconds))).split()[:2])}"
    return f"{' '.join(span(round(seconds)).split()[:2])} ago"


@pass_context
def _ago(context: Context, at: datetime) -> str:
    return since(at, context["now"])


@cache
def _pages() -> Environment:
    pages = templates(Path(__file__).parent / "templates")
    pages.filters |= {"moment": moment, "ago": _ago, "span": span}
    pages.globals |= {"address": links.address, "MARKS": MARKS}
    return pages
