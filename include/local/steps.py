"""Steps of a start: each waits for others, and what waits for nothing is done side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter


@dataclass(frozen=True)
class Step:
    """Something that starting the stack waits for."""

    name: str
    after: tuple[str, ...]
    action: Callable[[], str]
    """Does it, and returns what to show about it."""


def perform(
    steps: Sequence[Step],
    done: Callable[[Step, str, float], None],
    waiting: Callable[[list[str]], None],
    abandon: Callable[[], None] = lambda: None,
) -> None:
    """Do steps as soon as what they wait for is done.

    Args:
        steps: In any order.
        done: Takes each step when it is done, what to show about it, and how many seconds it took.
        waiting: Takes the names of the steps under way, whenever they change.
        abandon: Tells the steps under way to give up; called when a person interrupts.

    Raises:
        Exception: What the first step to fail raised; all that do not wait for it have been done.
    """
    by_name = {step.name: step for step in steps}
    order = TopologicalSorter({step.name: step.after for step in steps})
    order.prepare()
    under_way: dict[Future[str], tuple[Step, float]] = {}
    errors: list[BaseException] = []
    with ThreadPoolExecutor(len(steps)) as pool:

        def begin() -> bool:
            for name in order.get_ready():
                under_way[pool.submit(by_name[name].action)] = (by_name[name], time.monotonic())
            return bool(under_way)

        try:
            while begin():
                waiting([step.name for step, _ in under_way.values()])
                finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in finished:
                    step, begun = under_way.pop(future)
                    if error := future.exception():
                        errors.append(error)
                        continue
                    done(step, future.result(), time.monotonic() - begun)
                    order.done(step.name)
        except KeyboardInterrupt:
            abandon()
            raise
    if errors:
        raise errors[0]
