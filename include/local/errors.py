"""What can go wrong with the local stack."""

from __future__ import annotations

from sluice.domain.errors import SluiceError


class StackError(SluiceError):
    """A program of the local stack cannot be started, reached or stopped."""

    code = "stack"


class RunError(SluiceError):
    """A DAG run failed, or did not end in time."""

    code = "run"
