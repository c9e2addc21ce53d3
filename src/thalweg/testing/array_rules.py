"""The array rules under which every contract is checked, in the package's own suite and outside alike."""

import functools
from collections.abc import Callable
from typing import Any

import jax


def strictly(check: Callable[..., None]) -> Callable[..., None]:
    """The same check in float64, where arrays of unlike ranks do not broadcast by themselves."""

    @functools.wraps(check)
    def under_the_rules(*given: Any, **more: Any) -> None:
        with jax.enable_x64(), jax.numpy_rank_promotion("raise"):
            check(*given, **more)

    return under_the_rules
