"""What a rule would do next at frozen parameters: its update per unit of learning rate, and its limit on that rate."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..rules import DiscreteRule, Optax
from .limits import adam_preconditioner, adamw_limit
from .sharpnesses import Sharpness, sharpness

ADAM = {"optax.adam": 0.0, "optax.adamw": 1e-4}


class Updates(NamedTuple):
    """Updates at rate 1, each with the batch that it was made on, and the rule's memory after all of them."""

    batches: list[Any]
    directions: list[Any]
    state: Any
    count: int


@partial(jax.jit, static_argnums=(0, 1))
def _frozen(loss: Any, transform: Any, params: Any, state: Any, batch: Any) -> tuple[Any, Any]:
    return transform.update(jax.grad(loss)(params, batch), state, params)


def frozen_updates(
    loss: Callable[..., Any], params: Any, batches: list[Any], rule: Any, before: int, kept: int
) -> Updates:
    """`before` updates that fill the rule's memory, then `kept` that are returned; parameters stay where they are.

    Momentum has then the length that it would have on the way, and Adam the scale of its denominators.
    """
    transform = rule.transform()
    state = transform.init(params)
    used, found = [], []
    for i in range(before + kept):
        batch = batches[i % len(batches)]
        update, state = _frozen(loss, transform, params, state, batch)
        if i >= before:
            used.append(batch)
            found.append(update)
    return Updates(used, found, state, before + kept)


def _adam(rule: DiscreteRule) -> dict[str, float] | None:
    """The options of Adam or AdamW, however deep it lies; None for any other rule."""
    core = rule.core
    if not isinstance(core, Optax) or core.maker not in ADAM:
        return None
    return {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": ADAM[core.maker], **dict(core.hyperparameters)}


def preconditioner(rule: DiscreteRule, updates: Updates) -> Any:
    """Adam's own after these updates; None for rules without."""
    options = _adam(rule)
    if options is None:
        return None
    import optax

    moments = optax.tree_utils.tree_get(updates.state, "nu")
    # an entry that never had a gradient would be infinitely steep
    scale = max(float(jnp.max(leaf)) for leaf in jax.tree.leaves(moments))
    filled = jax.tree.map(lambda v: jnp.maximum(v, 1e-12 * scale), moments)
    return adam_preconditioner(filled, updates.count, options["b2"], options["eps"])


def stability_limit(rule: DiscreteRule, found: Sharpness) -> float:
    """The rate beyond which the rule is unstable at this sharpness (P^-1 H for Adam); NaN where no limit is known."""
    options = _adam(rule)
    if options is None:
        return float(rule.stable_rate(found.value))
    return float(adamw_limit(found.value, options["b1"], options["weight_decay"]))


def top_curvature(loss: Callable[..., Any], params: Any, batch: Any, rule: Any, updates: Updates) -> Sharpness:
    """Largest curvature that the rule feels: of the Hessian, or of P^-1 H for Adam."""
    return sharpness(loss, params, batch, preconditioner(rule, updates), tolerance=1e-3, most=60)


@partial(jax.jit, static_argnums=0)
def losses_along(loss: Any, params: Any, direction: Any, steps: Any, batch: Any) -> Any:
    """The loss of a batch at each step along a direction."""

    def at(step: Any) -> Any:
        return loss(jax.tree.map(lambda w, v: w + jnp.asarray(step, w.dtype) * v, params, direction), batch)

    return jax.lax.map(at, steps)
