"""Systems of other packages: an entry point of the group `thalweg.systems` names a module that holds one.

Files of the user's own, which a command names, count as such for as long as it runs.
"""

import functools
import importlib
import pkgutil
import sys
import warnings
from importlib import metadata
from pathlib import Path
from types import ModuleType

GROUP = "thalweg.systems"


class SystemWarning(UserWarning):
    """A system that another package announces could not be imported; all others work."""


@functools.cache
def announced() -> dict[str, metadata.EntryPoint]:
    """The entry points of other packages by name."""
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def are_there() -> bool:
    """Whether any other package announces a system, or the user has named a file."""
    return bool(announced() or _GIVEN)


# modules of the user's own, by name, as a command line named them
_GIVEN: dict[str, ModuleType] = {}


def given() -> dict[str, ModuleType]:
    """The modules that the user has named."""
    return dict(_GIVEN)


def import_given(path: str) -> None:
    """Import a user's own file (`mine.py`) or module (`package.mine`), as Python would from its folder.

    ValueError, in one sentence, where it is not there, raises, or has the name of a module that is another.
    """
    file = Path(path).resolve() if path.endswith(".py") else None
    if file is not None and not file.is_file():
        raise ValueError(f"{path:.80} does not exist or is no file; give a Python file or the name of a module.")
    name, folder = (path, Path.cwd()) if file is None else (file.stem, file.parent)
    there = sys.modules.get(name)
    if file is not None and there is not None and Path(getattr(there, "__file__", None) or "").resolve() != file:
        raise ValueError(f"{path:.80}: another module is called {name}; rename the file.")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        _GIVEN[name] = importlib.import_module(name)
    except Exception as trouble:
        raise ValueError(
            f"{path:.80} could not be imported ({type(trouble).__name__}: {trouble}); repair it."
        ) from trouble


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
