"""thalweg: predict how a network will train, train it for real, and compare the two."""

import sys
from typing import Any

import lazy_loader

from .faces.notebook import register

if "IPython" in sys.modules:
    register()

# the public names stand in __init__.pyi; each is imported when it is first used, so that importing thalweg is quick
_resolve, _, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__ or name.startswith("_"):
        return _resolve(name)
    from .catalogue.outsiders import announced, imported

    # a family of another package goes by the name of its entry point
    return imported()[name] if name in announced() and name in imported() else _resolve(name)


def __dir__() -> list[str]:
    """Verbs, words, rules, problems and families; all else of a family is in its namespace."""
    from .catalogue.names import shown

    return shown()
