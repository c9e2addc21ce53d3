"""Any optimiser of optax as a rule."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx

from ..mathematics import stable_steps
from ..words.fields import scalar
from .discrete import DiscreteRule, Step
from .sources import Source, Whole


def _resolve(maker: str | Callable[..., Any]) -> str:
    """The qualified name of a function of optax, found by identity so that it can be saved and read back."""
    if isinstance(maker, str):
        look_up(maker)
        return maker
    import optax

    for name in (getattr(maker, "__name__", ""), *dir(optax)):
        if name and getattr(optax, name, None) is maker:
            return f"optax.{name}"
    raise ValueError(f"Optax: {maker!r} is not a public function of optax; give one such as optax.adam.")


def look_up(name: str) -> Callable[..., Any]:
    """The optax function of a qualified name; nothing outside optax is reached."""
    import optax

    head, _, tail = name.partition(".")
    found = getattr(optax, tail, None) if head == "optax" and "." not in tail else None
    if not callable(found):
        raise ValueError(f"Optax: {name!r} is not a function of optax; give a name such as 'optax.adam'.")
    return found


def pairs(options: Mapping[str, float] | tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """Names with their numbers, of a mapping or of pairs."""
    items = options.items() if isinstance(options, Mapping) else options
    return tuple((str(k), v) for k, v in items)


class Optax(DiscreteRule):
    """An optax optimiser: `Optax(optax.adam, learning_rate=1e-2, hyperparameters={"b1": 0.8})`.

    Clock: whole steps. It is kept by its qualified name, so that a result file can be run again. Flow time is not
    defined (NaN): the step is no multiple of the gradient. Stable rates are known of optax.sgd.
    """

    maker: str = eqx.field(converter=_resolve, static=True)
    learning_rate: float = scalar("the optimiser's learning rate", symbol="eta", default=1e-3, above=0.0, log=True)
    hyperparameters: tuple[tuple[str, float], ...] = eqx.field(converter=pairs, static=True, default=())

    def __check_init__(self) -> None:
        words = [name for name, value in self.hyperparameters if isinstance(value, str)]
        if words:
            raise ValueError(f"Optax: the hyperparameter {words[0]} is text; give a number.")
        try:
            look_up(self.maker)(1e-3, **dict(self.hyperparameters))
        except (TypeError, ValueError, AttributeError) as trouble:
            raise ValueError(
                f"Optax: {self.maker} cannot be made of a learning rate and hyperparameters = "
                f"{dict(self.hyperparameters)} ({trouble}); give those of an optimiser such as optax.adam."
            ) from trouble

    @property
    def source(self) -> Source:
        return Whole()

    def pace(self) -> Any:
        return math.nan

    def transform(self) -> Any:
        return look_up(self.maker)(1.0, **dict(self.hyperparameters))

    def stable_rate(self, curvature: Any) -> Any:
        options = dict(self.hyperparameters)
        if self.maker != "optax.sgd":
            return math.nan * curvature
        edge = stable_steps.nesterov if options.get("nesterov") else stable_steps.heavy_ball
        return stable_steps.over(edge(options.get("momentum") or 0.0), curvature)

    def _transform(self) -> Any:
        return look_up(self.maker)(self.learning_rate, **dict(self.hyperparameters))

    def begin(self, params: Any) -> Any:
        return self._transform().init(params)

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        import optax

        updates, memory = self._transform().update(step.slope(params), memory, params)
        return optax.apply_updates(params, step.scaled(updates)), memory
