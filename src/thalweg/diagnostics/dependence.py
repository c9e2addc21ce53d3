"""Which outputs of a function depend on its arguments at all, read from its program."""

from collections.abc import Callable
from typing import Any

import jax

# calls that hand their arguments through one by one; loops and branches are taken as a whole
CALLS = {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat", "remat2"}


def depends(function: Callable[..., Any], argument: Any) -> list[bool]:
    """For each array that `function(argument)` returns, whether it can change with the argument."""
    program = jax.make_jaxpr(function)(argument).jaxpr
    return _spread(program, [True] * len(program.invars))


def _spread(program: Any, marks: list[bool]) -> list[bool]:
    known = {id(variable): mark for variable, mark in zip(program.invars, marks, strict=True)}
    for line in program.eqns:
        into = [known.get(id(variable), False) for variable in line.invars]
        inner = _inner(line)
        out = _spread(inner, into) if inner is not None else [any(into)] * len(line.outvars)
        known.update({id(variable): mark for variable, mark in zip(line.outvars, out, strict=True)})
    return [known.get(id(variable), False) for variable in program.outvars]


def _inner(line: Any) -> Any:
    if line.primitive.name not in CALLS:
        return None
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if name in line.params:
            program = getattr(line.params[name], "jaxpr", line.params[name])
            if (len(program.invars), len(program.outvars)) == (len(line.invars), len(line.outvars)):
                return program
    return None
