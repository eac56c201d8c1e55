"""Following: what a person sees of a run while it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from local.runs import TASK_DONE, Airflow, Run


class Show(Protocol):
    """Where the demo shows what it does."""

    def say(self, line: str) -> None:
        """Show a line that stays."""

    def working(self, line: str) -> AbstractContextManager[Callable[[str], None]]:
        """Show a line that goes away when the block ends, and takes other texts until then."""


def follow(airflow: Airflow, show: Show, stage: str, run: Run) -> Run:
    """Show a run's tasks as they end, each instance of a mapped one by itself, until the run is over.

    Args:
        airflow: Runs it.
        show: Takes what there is to see.
        stage: How it is called in what is shown.
        run: Which one.

    Raises:
        RunError: It failed.
    """
    shown: set[str] = set()
    begun = time.monotonic()
    with show.working(f"{run.dag_id} is {run.state}") as update:
        for look in airflow.follow(run):
            run = look.run
            for task in look.tasks:
                if task.state in TASK_DONE and task.name not in shown:
                    shown.add(task.name)
                    show.say(f"  {stage:<9} {task.name:<20} {task.state:<10} {task.seconds:6.1f} s")
            active = [task for task in look.tasks if task.name not in shown]
            working = [task for task in active if task.state == "running"] or active[:1]
            doing = ", ".join(f"{task.name} is {task.state}" for task in working)
            update(f"{run.dag_id}: {doing or run.state}, {time.monotonic() - begun:.0f} s")
    if run.state != "success":
        raise airflow.failure(run)
    return run
