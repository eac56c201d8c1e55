"""Steps: in order where they must be, side by side where they may be."""

from __future__ import annotations

import threading

import pytest

from local.errors import StackError
from local.steps import Step, perform


class Diary:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.waiting: list[list[str]] = []

    def perform(self, *steps: Step) -> None:
        perform(steps, lambda step, *_: self.done.append(step.name), self.waiting.append)


def step(name: str, *after: str, action=lambda: "") -> Step:
    return Step(name, after, action)


def fail() -> str:
    raise StackError("it does not work")


def test_a_step_begins_when_what_it_waits_for_is_done() -> None:
    diary = Diary()

    diary.perform(step("third", "second"), step("second", "first"), step("first"))

    assert diary.done == ["first", "second", "third"]


def test_independent_steps_are_done_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=5)

    def meet() -> str:
        return str(meeting.wait())

    diary = Diary()
    diary.perform(step("one", action=meet), step("other", action=meet))

    assert sorted(diary.done) == ["one", "other"]
    assert sorted(diary.waiting[0]) == ["one", "other"]


def test_a_failed_step_stops_only_what_waits_for_it() -> None:
    diary = Diary()

    with pytest.raises(StackError, match="it does not work"):
        diary.perform(step("broken", action=fail), step("after it", "broken"), step("apart"), step("more", "apart"))

    assert diary.done == ["apart", "more"]


def test_an_interruption_tells_the_steps_under_way() -> None:
    abandoned = threading.Event()

    def interrupt(_: list[str]) -> None:
        raise KeyboardInterrupt

    slow = step("slow", action=lambda: str(abandoned.wait(30)))
    with pytest.raises(KeyboardInterrupt):
        perform([slow], lambda *_: None, interrupt, abandoned.set)
    assert abandoned.is_set()
