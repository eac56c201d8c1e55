"""Starts one program of the stack: ends what an earlier life of it left behind, notes itself down, becomes it.

A supervisor starts a killed program again, but not before its children, which may hold its port, are gone.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from local import processes
from local.state import state


def launch(program: str, python_path: str, command: list[str]) -> NoReturn:
    """Become a program.

    Args:
        program: Its name in the stack.
        python_path: Its PYTHONPATH; none where empty.
        command: What to execute.
    """
    here = state()
    leftovers = processes.of_program(here, program)
    # Tasks that a killed scheduler left behind finish by themselves; their results still count.
    spared = processes.busy(leftovers) if program == "scheduler" else set()
    if ended := processes.end([process for process in leftovers if process.pid not in spared], patience=5):
        print(f"ended {ended} processes that an earlier {program} left behind", flush=True)
    processes.write_record(here.records / program, os.getpid())
    os.environ.pop("PYTHONPATH", None)
    if python_path:
        os.environ["PYTHONPATH"] = python_path
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    launch(sys.argv[1], sys.argv[2], sys.argv[3:])
