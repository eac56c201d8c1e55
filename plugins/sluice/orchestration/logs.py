"""Logs: the last lines of what a task wrote, from the file that Airflow keeps, where this machine has it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sluice.domain.alert import MOST_LINES

#: How much of a file's end is read.
END_BYTES = 64 * 1024


def tail(instance: Any) -> tuple[str, ...]:
    """The last lines of a task's log; none where its file is on another machine. Airflow has masked secrets in it.

    Args:
        instance: Airflow's task instance.
    """
    try:
        path = _path(instance)
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - END_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    lines = [line for entry in text.splitlines() for line in _lines(entry)]
    return tuple(lines[-MOST_LINES:])


def _path(instance: Any) -> Path:
    # Local: DAG files are parsed far more often than they fail.
    from airflow.configuration import conf
    from airflow.utils.helpers import log_filename_template_renderer

    return Path(conf.get("logging", "base_log_folder")) / log_filename_template_renderer()(
        ti=instance, try_number=instance.try_number
    )


def _lines(entry: str) -> Iterator[str]:
    """What a person reads of one entry, which is a JSON object; the first may be cut off, and others are plain."""
    try:
        said = json.loads(entry)
    except ValueError:
        if entry.strip() and not entry.endswith("}"):
            yield entry
        return
    if not isinstance(said, Mapping) or str(said.get("event", "")).startswith("::"):
        return
    yield f"{str(said.get('timestamp', ''))[11:19]} {said.get('level', '')!s:<7} {said.get('event', '')}"
    for error in said.get("error_detail") or ():
        yield f"{error.get('exc_type', '')}: {error.get('exc_value', '')}"
