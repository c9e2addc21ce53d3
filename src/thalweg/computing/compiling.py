"""Programs that run a few times: compiled with less optimisation, since compiling them is most of what they cost."""

import os
from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Any

import jax

# XLA's older emitters at a low level: two fifths of the time to compile, and for the small arrays of theories nearly
# the same time to run
LIGHT = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}


@cache
def light_options() -> dict[str, Any] | None:
    """The options this jaxlib knows, None on accelerators: found when first needed, for they start the backend.

    What XLA_FLAGS names holds for these programs as for all others.
    """
    if jax.default_backend() != "cpu":
        return None
    said = {flag.partition("=")[0].lstrip("-") for flag in os.environ.get("XLA_FLAGS", "").split()}
    return {name: value for name, value in LIGHT.items() if name not in said and _known(name, value)}


def _known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


class Light:
    """`jax.jit` with these options, for programs that no other program calls (JAX allows options to those alone)."""

    def __init__(self, function: Callable[..., Any], static_argnums: int | tuple[int, ...] = ()) -> None:
        self.function, self.static_argnums = function, static_argnums
        update_wrapper(self, function)

    @cache  # noqa: B019  # one of these lives as long as its module
    def program(self) -> Any:
        """The jitted function."""
        return jax.jit(self.function, static_argnums=self.static_argnums, compiler_options=light_options())

    def __call__(self, *args: Any) -> Any:
        return self.program()(*args)

    def _cache_size(self) -> int:
        return self.program()._cache_size()


def light(static_argnums: int | tuple[int, ...] = ()) -> Callable[[Callable[..., Any]], Light]:
    """Decorator: `@light(static_argnums=0)`."""
    return lambda function: Light(function, static_argnums)
