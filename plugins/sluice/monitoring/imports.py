"""Imports: of a large library only the modules that hold what is asked for."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any


class Listing(ModuleType):
    """A package that lists what its modules hold, and is not run: a name comes from its module once it is asked for.

    What the package does beside importing is done when a name is asked for that it does not import.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        source = _imported(self).get(name)
        if source is None:
            loader = getattr(self.__spec__, "loader", None)
            self.__class__ = ModuleType  # type: ignore[assignment]  # it is a listing no more
            if isinstance(loader, _Unrun):
                loader.usual.exec_module(self)
            return getattr(self, name)
        value = _value(self.__name__, *source)
        setattr(self, name, value)
        return value


@contextmanager
def listings(names: Collection[str]) -> Iterator[None]:
    """Import some packages as listings of what their modules hold.

    Args:
        names: In full. A package that has been imported before stays what it is.
    """
    with _first(_Finder(names)):
        yield


class StandIn:
    """A name out of a module that is imported once the name is used: called, or asked for something of its own."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._meant()(*given, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._meant(), name)

    def _meant(self) -> Any:
        return getattr(import_module(self._module), self._name)


@contextmanager
def later(library: str) -> Iterator[None]:
    """Import modules that import a library without it: the names that they take from it are stand-ins.

    Args:
        library: Its package. One that has been imported before stays what it is.
    """
    if library in sys.modules:
        yield
        return
    finder = _Absent(library)
    try:
        with _first(finder):
            yield
    finally:
        # Whoever imports the library from here on gets it.
        for name in finder.found:
            sys.modules.pop(name, None)


@contextmanager
def _first(finder: MetaPathFinder) -> Iterator[None]:
    """Ask a finder before all others."""
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Absent(MetaPathFinder, Loader):
    """Finds every module of one library, and in each whatever is asked for."""

    def __init__(self, library: str) -> None:
        self._library = library
        self.found: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != self._library:
            return None
        self.found.append(fullname)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__getattr__"] = partial(StandIn, module.__name__)


class _Finder(MetaPathFinder):
    """Finds modules as ever, and lets the named ones not run."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Unrun(spec.loader)
        return spec


class _Unrun(Loader):
    """Makes a module, and leaves its code for later."""

    def __init__(self, usual: Loader) -> None:
        self.usual = usual

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = Listing


def _imported(package: ModuleType) -> dict[str, tuple[str, str]]:
    """Each name that a package imports, with the module that it comes from and its name there."""
    tree = ast.parse(Path(str(package.__file__)).read_bytes())
    statements = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (resolve_name("." * node.level + (node.module or ""), package.__name__), alias.name)
        for node in statements
        for alias in node.names
    }


def _value(package: str, module: str, name: str) -> Any:
    if module != package:
        found = import_module(module)
        if hasattr(found, name):
            return getattr(found, name)
    return import_module(f"{module}.{name}")
