"""A user's functions in result files: by name where they can be imported, honestly lost where not."""

import sys
import weakref
from typing import Any

_MARKS: Any = weakref.WeakKeyDictionary()


def function_words(function: Any) -> dict[str, str]:
    """`module:qualname`; where it cannot be imported by that, also a mark that no other function ever has.

    Lambdas, functions inside functions, methods of an object and all that stands in a notebook cannot be imported.
    """
    owner = function if hasattr(function, "__qualname__") else type(function)
    name = f"{getattr(owner, '__module__', None)}:{getattr(owner, '__qualname__', type(function).__name__)}"
    if _looked_up(name) is function:
        return {"function": name}
    return {"function": name, "lost": _mark(function)}


def function_of(words: dict[str, str]) -> Any:
    """The function that `function_words` named; ValueError where it was lost, or its module is not imported."""
    name = words["function"]
    if "lost" in words:
        raise ValueError(
            f"the function {name} was written in a notebook, inside another function or as a lambda, and no file keeps "
            "it; put it into a module of your own to be run again, or call the verb again."
        )
    found = _looked_up(name)
    if found is None:
        raise ValueError(f"the function {name} is not there; import its module first.")
    return found


def _looked_up(name: str) -> Any:
    """What stands under this name in a module that is imported already; None where there is no function.

    The standard library is left out: a file could name functions there that do more than compute.
    """
    module, _, path = name.partition(":")
    if module == "__main__" or module.partition(".")[0] in sys.stdlib_module_names or "<" in path:
        return None
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found if callable(found) and not isinstance(found, type) else None


def _mark(function: Any) -> str:
    # in memory alone, so that another process never takes another function for this one
    import uuid

    try:
        return _MARKS.setdefault(function, uuid.uuid4().hex)
    except TypeError:  # what has no weak references is new each time
        return uuid.uuid4().hex
