"""What keeps a release from being served.

    ServingError
    ├── ConfigurationError      misconfigured    the environment says something impossible
    ├── UnreachableError        unreachable      a source of releases does not answer; it may later
    ├── NoChampionError         no_champion      a source of releases answers and names none
    ├── ShareError              no_share         the registry does not say how much a challenger shall answer
    ├── BundleError             refused          a bundle is incomplete, altered, or disagrees with itself
    ├── RuntimeMismatchError    needs_new_image  a bundle was tested with other serving code than this
    └── KeysError               keys             the file of API keys cannot be used, or opens to nobody

The codes start the reasons that the service card and the heartbeat show.
"""

from __future__ import annotations


class ServingError(Exception):
    """The root of the tree; the code starts every reason that people and programs read."""

    code = "error"

    def __str__(self) -> str:
        return f"{self.code}: {super().__str__()}"


class ConfigurationError(ServingError):
    """The environment says something impossible."""

    code = "misconfigured"


class UnreachableError(ServingError):
    """A source of releases does not answer; it may later."""

    code = "unreachable"


class NoChampionError(ServingError):
    """A source of releases answers and names none."""

    code = "no_champion"


class ShareError(ServingError):
    """The registry does not say how much a challenger shall answer, or not clearly."""

    code = "no_share"


class BundleError(ServingError):
    """A bundle is incomplete, altered, or disagrees with itself."""

    code = "refused"


class RuntimeMismatchError(ServingError):
    """A bundle was tested with other serving code than this."""

    code = "needs_new_image"


class KeysError(ServingError):
    """The file of API keys cannot be used, or opens to nobody."""

    code = "keys"
