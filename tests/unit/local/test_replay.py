"""The command of a replay: what it refuses, it refuses at once."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from local.replay import command


def test_it_says_how_it_is_used() -> None:
    told = CliRunner().invoke(command, ["--help"])

    assert told.exit_code == 0
    for option in ("--use-case", "--scenario", "--days", "--seed", "--out"):
        assert option in told.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenario", "sudenn"], "use one of: broken_feed, clean, concept, slow, sudden"),
        (["--use-case", "huosing"], "there is no use case 'huosing'"),
        (["--scenario", "sudden", "--days", "5"], "5 days end before anything changes, which is on day 21"),
    ],
    ids=["no such scenario", "no such use case", "too few days"],
)
def test_what_cannot_be_replayed_is_refused_before_anything_is_started(arguments: list[str], told: str) -> None:
    answer = CliRunner().invoke(command, arguments)

    assert answer.exit_code == 2
    assert told in answer.output
