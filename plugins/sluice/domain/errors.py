"""Everything that can go wrong, as one tree with stable codes.

    SluiceError
    ├── TerminalError            a retry cannot help; the task fails at once
    │   ├── SpecError            spec        a use case's folder is wrong
    │   ├── SourceError          source      a source cannot be read or is not what the spec says
    │   ├── BatchRejected        batch       too many bad rows, or the expectations do not hold
    │   ├── DataError            data        too few rows, one class, nothing to train on
    │   ├── ConversionError      conversion  a fitted model cannot be written as a graph
    │   ├── BundleError          bundle      a release bundle is incomplete, altered or disagrees with itself
    │   ├── ReleaseError         release     a bento cannot be built
    │   ├── PublishError         publish     a service that releases or reports are published to refuses them
    │   └── StateError           state       the ledgers, the registry and the world disagree
    └── TransientError           transient   something outside did not answer; a retry may help

Each error says what happened, where, and what to do next.
"""

from __future__ import annotations


class SluiceError(Exception):
    """The root of the tree.

    Args:
        what: What happened, in one sentence.
        where: The file, table, version or address it happened at.
        action: What a person should do next.
    """

    code = "error"

    def __init__(self, what: str, where: str = "", action: str = "") -> None:
        self.what = what
        self.where = where
        self.action = action
        super().__init__(what, where, action)

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        advice = f" -> {self.action}" if self.action else ""
        return f"{self.code}: {self.what}{place}{advice}"


class TerminalError(SluiceError):
    """A retry cannot help: somebody must change something first."""

    code = "terminal"


class TransientError(SluiceError):
    """Something outside did not answer; the same call may succeed later."""

    code = "transient"


class SpecError(TerminalError):
    """A use case's folder is missing something or says something impossible."""

    code = "spec"


class SourceError(TerminalError):
    """A source cannot be read, or what it holds is not what the spec declares."""

    code = "source"


class BatchRejected(TerminalError):
    """A batch has too many bad rows or breaks an expectation; the last good data stays in use."""

    code = "batch"


class DataError(TerminalError):
    """There is not enough usable data for what was asked."""

    code = "data"


class ConversionError(TerminalError):
    """A fitted model cannot be written as the graph that is served."""

    code = "conversion"


class BundleError(TerminalError):
    """A release bundle is incomplete, altered, or disagrees with itself."""

    code = "bundle"


class ReleaseError(TerminalError):
    """A bento cannot be built or started."""

    code = "release"


class PublishError(TerminalError):
    """A service refuses what is published to it, or there is no room to make it ready."""

    code = "publish"


class StateError(TerminalError):
    """The ledgers, the registry and the world disagree."""

    code = "state"
