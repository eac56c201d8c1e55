"""The demo: its source, what it shows while it runs, and which use cases it carries."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from local import __main__ as command
from local.demo import Demo, Result, source
from local.errors import RunError, StackError
from local.following import follow
from local.outcome import Answer, Verdict
from local.runs import Airflow, Progress, Run, Task
from sluice.domain.use_case import UseCase

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_sample_needs_no_source(housing: UseCase) -> None:
    assert source(housing, "sample") is None


def test_the_public_data_set_is_found_by_the_name_in_the_spec(housing: UseCase, tmp_path: Path) -> None:
    (tmp_path / "housing.csv").touch()

    assert source(housing, "real", tmp_path) == str(tmp_path / "housing.csv")


def test_a_missing_data_set_is_an_error_that_says_what_to_do(housing: UseCase, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"housing\.csv\] -> name its folder with SLUICE_REAL_DATA"):
        source(housing, "real", tmp_path)


def test_a_use_case_without_a_public_data_set_says_so(housing: UseCase, tmp_path: Path) -> None:
    plain = housing.model_copy(update={"source": housing.source.model_copy(update={"real_data": None})})

    with pytest.raises(StackError, match="names no public data set"):
        source(plain, "real", tmp_path)


@dataclass
class Screen:
    """Keeps what is shown."""

    lines: list[str] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(" ".join(line.split()))

    @contextmanager
    def working(self, line: str) -> Iterator[Callable[[str], None]]:
        self.passing.append(line)
        yield self.passing.append


@dataclass(frozen=True)
class Looks:
    """An Airflow that is looked at three times."""

    looks: tuple[Progress, ...]

    def follow(self, _: Run) -> Iterator[Progress]:
        yield from self.looks

    def failure(self, run: Run) -> RunError:
        return RunError(f"{run.dag_id} failed")


def looks(*states: dict[str, str], end: str = "success") -> Looks:
    """What three looks at the tasks of a run see."""
    names = {"search[0]": ("search", 0), "search[1]": ("search", 1)}
    last = len(states) - 1
    return Looks(
        tuple(
            Progress(
                Run("line_train", "today", end if number == last else "running"),
                tuple(Task(*_parts(names, name, state)) for name, state in seen.items()),
            )
            for number, seen in enumerate(states)
        )
    )


def _parts(names: dict[str, tuple[str, int]], name: str, state: str) -> tuple[str, str, float, int, int]:
    task_id, map_index = names.get(name, (name, -1))
    return task_id, state, 1.0, 1, map_index


def story(use_case: UseCase, airflow: Looks, screen: Screen) -> Demo:
    return Demo(use_case, cast("Airflow", airflow), cast("Any", None), {}, Path(), screen)


def test_every_instance_of_a_mapped_task_is_shown_once_and_skips_in_their_place(line: UseCase) -> None:
    airflow = looks(
        {"open": "success", "search[0]": "running", "search[1]": "running", "register": "waiting"},
        {"open": "success", "search[0]": "success", "search[1]": "running", "register": "waiting"},
        {"open": "success", "search[0]": "success", "search[1]": "skipped", "register": "success"},
    )
    screen = Screen()

    run = follow(cast("Airflow", airflow), screen, "train", Run("line_train", "today", "queued"))

    assert run.state == "success"
    assert screen.lines == [
        "train open success 1.0 s",
        "train search[0] success 1.0 s",
        "train search[1] skipped 1.0 s",
        "train register success 1.0 s",
    ]
    assert "search[0] is running, search[1] is running" in screen.passing[1]


def test_a_failed_run_ends_the_demo(line: UseCase) -> None:
    with pytest.raises(RunError, match="line_train failed"):
        follow(
            cast("Airflow", looks({"open": "failed"}, end="failed")),
            Screen(),
            "train",
            Run("line_train", "t", "queued"),
        )


class Told:
    """A demo that has come to its end."""

    def __init__(self, use_case: UseCase, *_: object) -> None:
        self._use_case = use_case

    def run(self, _: str | None) -> Result:
        answer = Answer("Repaid (1)", (("probabilities", "Repaid 0.8"),), 1, "p")
        verdict = Verdict("promote", "all 9 checks passed", 1, None, {})
        stages = [("promote", 2.0, "promote: all 9 checks passed")]
        return Result(self._use_case.name, stages, verdict, answer, seconds=12.0)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What the command shows on a stack where every demo succeeds."""

    class Addresses:
        airflow, credentials = "http://airflow", type("Login", (), {"admin": "secret"})

        def database(self, _: str) -> str:
            return ""

        def document(self) -> dict[str, Any]:
            return {}

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(command.commands, ["demo", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    monkeypatch.setattr(command, "Stack", lambda _: None)
    monkeypatch.setattr(command, "start", lambda _: Addresses())
    monkeypatch.setattr(command, "Airflow", lambda *_: nullcontext())
    monkeypatch.setattr(command, "Demo", Told)
    monkeypatch.setattr(command.summary, "logins", lambda *_: None)
    return run


def test_all_use_cases_run_one_after_another_with_a_total_at_the_end(
    shown: Callable[..., str], use_cases: tuple[UseCase, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown("--use-case", "all") + capsys.readouterr().out

    places = [text.index(f"{use_case.name}: what came out") for use_case in use_cases]
    assert places == sorted(places)
    assert text.index("how long it took") > places[-1]
    assert text.count("Repaid (1)") == len(use_cases)


def test_one_use_case_is_carried_alone(
    shown: Callable[..., str], housing: UseCase, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown("--use-case", housing.name) + capsys.readouterr().out

    assert text.count("what came out") == 1
    assert f"{housing.name}: what came out" in text


def test_an_unknown_use_case_is_an_error_before_anything_starts(
    shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "start", lambda _: pytest.fail("the stack was started"))

    result = CliRunner().invoke(command.commands, ["demo", "--use-case", "houzing"])

    assert result.exit_code == 1
    assert "there is no use case 'houzing'" in result.output


@pytest.mark.parametrize(
    ("asked", "name"),
    [pytest.param((), "housing", id="by default"), pytest.param(("USE_CASE=all",), "all", id="all")],
)
def test_make_names_the_use_case(asked: tuple[str, ...], name: str) -> None:
    done = subprocess.run(
        ("make", "--no-print-directory", "-n", "demo", *asked),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"--use-case {name}" in done.stdout
