"""Systems of other packages: an entry point of the group `thalweg.systems` names a module that holds one."""

import functools
import importlib
import pkgutil
import warnings
from importlib import metadata
from types import ModuleType

GROUP = "thalweg.systems"


class SystemWarning(UserWarning):
    """A system that another package announces could not be imported; all others work."""


@functools.cache
def announced() -> dict[str, metadata.EntryPoint]:
    """The entry points of other packages by name."""
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def are_there() -> bool:
    """Whether any other package announces a system."""
    return bool(announced())


@functools.cache
def imported() -> dict[str, ModuleType]:
    """The modules that other packages announce, imported with all below them; one that fails is told and left out."""
    found: dict[str, ModuleType] = {}
    for name, point in announced().items():
        try:
            found[name] = _with_all_below(importlib.import_module(point.module))
        except Exception as trouble:
            package = point.dist.name if point.dist else "another package"
            warnings.warn(
                f"the system {name!r} of {package} ({point.value}) could not be imported "
                f"({type(trouble).__name__}: {trouble}); all others work. Repair or uninstall {package}.",
                SystemWarning,
                stacklevel=2,
            )
    return found


def _with_all_below(module: ModuleType) -> ModuleType:
    for below in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
        importlib.import_module(below.name)
    return module
