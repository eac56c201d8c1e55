"""The supervisor's configuration: one section per program, whatever its command and settings hold."""

from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path

import pytest
from supervisor.datatypes import dict_of_key_value_pairs

from local.errors import StackError
from local.health import Health
from local.programs import Program
from local.state import State
from local.supervision import Process, configuration


def section(program: Program, state: State) -> dict[str, str]:
    parser = RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(configuration(state, [program]))
    return dict(parser[f"program:{program.name}"])


def program(**changes: object) -> Program:
    return Program(**({"name": "toy", "command": ("true",), "check": lambda _: Health(True)} | changes))  # type: ignore[arg-type]


def test_a_program_waits_to_be_started_and_is_started_again_when_it_dies(tmp_path: Path) -> None:
    made = section(program(), State(tmp_path))

    assert (made["autostart"], made["autorestart"]) == ("false", "true")
    assert made["stdout_logfile"] == str(tmp_path / "log" / "toy.log")


def test_arguments_with_spaces_and_percent_signs_stay_whole(tmp_path: Path) -> None:
    made = section(program(command=("run it", "100%")), State(tmp_path))

    assert made["command"].endswith(" 'run it' 100%%")


@pytest.mark.parametrize("value", ["a b", "a,b=c", "it's", "50%", "x;y#z", ""])
def test_a_setting_arrives_as_it_was_meant(tmp_path: Path, value: str) -> None:
    made = section(program(environment={"SETTING": value}), State(tmp_path))

    read = dict_of_key_value_pairs(made["environment"].replace("%%", "%"))
    assert read["SETTING"] == value


@pytest.mark.parametrize("value", ['say "x"', "'x", "a\nb", "a #b", "a ;b"])
def test_a_setting_that_the_supervisor_would_misread_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(StackError):
        configuration(State(tmp_path), [program(environment={"SETTING": value})])


def test_every_program_carries_the_mark_of_its_stack(tmp_path: Path) -> None:
    made = section(program(), State(tmp_path))

    read = dict_of_key_value_pairs(made["environment"])
    assert (read["SLUICE_STACK"], read["SLUICE_PROGRAM"]) == (str(tmp_path), "toy")


@pytest.mark.parametrize(
    ("state", "alive"), [("RUNNING", True), ("BACKOFF", True), ("FATAL", False), ("STOPPED", False)]
)
def test_a_program_that_will_be_started_again_counts_as_alive(state: str, alive: bool) -> None:
    assert Process(state, 1, 0.0).alive is alive
