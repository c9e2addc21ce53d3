"""Equinox modules made anew, and their methods, at a small part of the cost: both are asked for at every point."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx


class Module(eqx.Module):
    """An equinox module, in all that it says and does; only quicker to replace and to take a method of."""

    # whether construction sets the given fields and checks them, and does nothing else
    _plain: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._plain = cls._plain and not {"__init__", "__post_init__"} & set(vars(cls))

    if not TYPE_CHECKING:  # every attribute would be known

        def __getattribute__(self, name: str) -> Any:
            found = object.__getattribute__(self, name)
            if type(found) is not MethodType or found.__self__ is not self or name.startswith("__"):
                return found
            function = found.__func__
            if function not in _BOUND:
                first = super().__getattribute__(name)
                _BOUND[function] = type(first), {k: v for k, v in vars(first).items() if k != "__self__"}
            kind, words = _BOUND[function]
            made = object.__new__(kind)
            vars(made).update(words, __self__=self)
            return made


# what equinox makes of a method, a pytree of its module: its class, and what it holds beside the module
_BOUND: dict[FunctionType, tuple[type, dict[str, Any]]] = {}


def replaced(module: Any, changes: Mapping[str, Any]) -> Any:
    """`dataclasses.replace`: the new module is checked as a whole, but fields that stay are not set again."""
    kind = type(module)
    if not getattr(kind, "_plain", False):
        return dataclasses.replace(module, **changes)
    made, converters = object.__new__(kind), _converters(kind)
    held = vars(made)
    held |= vars(module)
    held |= {n: converters[n](value) if n in converters else value for n, value in changes.items()}
    for check in _checks(kind):
        check(made)
    return made


@functools.cache
def _converters(kind: type) -> dict[str, Callable[[Any], Any]]:
    return {f.name: f.metadata["converter"] for f in dataclasses.fields(kind) if "converter" in f.metadata}  # pyright: ignore


@functools.cache
def _checks(kind: type) -> list[Callable[[Any], None]]:
    """What equinox calls after construction, each class's own."""
    return [vars(line)["__check_init__"] for line in kind.__mro__ if "__check_init__" in vars(line)]
