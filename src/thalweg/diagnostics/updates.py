"""What a rule would do next at frozen parameters: its update per unit of learning rate, and its limit on that rate."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..rules import Averaged, GradientDescent, HeavyBall, Nesterov, Optax, Scheduled
from ..rules.optimiser import look_up
from .limits import adam_preconditioner, adamw_limit, descent_limit, momentum_limit, nesterov_limit
from .sharpnesses import Sharpness, sharpness

ADAM = {"optax.adam": 0.0, "optax.adamw": 1e-4}


class Updates(NamedTuple):
    """Updates at rate 1, each with the batch that it was made on, and the rule's memory after all of them."""

    batches: list[Any]
    directions: list[Any]
    state: Any
    count: int


def unit_transform(rule: Any) -> optax.GradientTransformation:
    """The rule at learning rate 1 as a map from gradients to updates; ValueError where it is none."""
    if isinstance(rule, GradientDescent):
        return optax.sgd(1.0)
    if isinstance(rule, HeavyBall):
        return optax.sgd(1.0, momentum=float(rule.momentum))
    if isinstance(rule, Nesterov):
        return optax.sgd(1.0, momentum=float(rule.momentum), nesterov=True)
    if isinstance(rule, Optax):
        return look_up(rule.maker)(1.0, **dict(rule.hyperparameters))
    if isinstance(rule, Scheduled | Averaged):
        return unit_transform(rule.rule)
    raise ValueError(
        f"rule = {type(rule).__name__} is not a map from gradients to updates; give GradientDescent, HeavyBall, "
        "Nesterov or Optax."
    )


@partial(jax.jit, static_argnums=(0, 1))
def _frozen(loss: Any, transform: Any, params: Any, state: Any, batch: Any) -> tuple[Any, Any]:
    return transform.update(jax.grad(loss)(params, batch), state, params)


def frozen_updates(
    loss: Callable[..., Any], params: Any, batches: list[Any], rule: Any, before: int, kept: int
) -> Updates:
    """`before` updates that fill the rule's memory, then `kept` that are returned; parameters stay where they are.

    Momentum has then the length that it would have on the way, and Adam the scale of its denominators.
    """
    transform = unit_transform(rule)
    state = transform.init(params)
    used, found = [], []
    for i in range(before + kept):
        batch = batches[i % len(batches)]
        update, state = _frozen(loss, transform, params, state, batch)
        if i >= before:
            used.append(batch)
            found.append(update)
    return Updates(used, found, state, before + kept)


def preconditioner(rule: Any, updates: Updates) -> Any:
    """Adam's own after these updates; None for rules without."""
    if not isinstance(rule, Optax) or rule.maker not in ADAM:
        return None
    options = dict(rule.hyperparameters)
    moments = optax.tree_utils.tree_get(updates.state, "nu")
    # an entry that never had a gradient would be infinitely steep
    scale = max(float(jnp.max(leaf)) for leaf in jax.tree.leaves(moments))
    filled = jax.tree.map(lambda v: jnp.maximum(v, 1e-12 * scale), moments)
    return adam_preconditioner(filled, updates.count, options.get("b2", 0.999), options.get("eps", 1e-8))


def stability_limit(rule: Any, found: Sharpness) -> float:
    """The rate beyond which the rule is unstable at this sharpness (P^-1 H for Adam); NaN where no limit is known."""
    if isinstance(rule, Scheduled | Averaged):
        return stability_limit(rule.rule, found)
    if isinstance(rule, GradientDescent):
        return float(descent_limit(found.value))
    if isinstance(rule, HeavyBall):
        return float(momentum_limit(found.value, float(rule.momentum)))
    if isinstance(rule, Nesterov):
        return float(nesterov_limit(found.value, float(rule.momentum)))
    options = dict(rule.hyperparameters)
    if rule.maker in ADAM:
        decay = options.get("weight_decay", ADAM[rule.maker])
        return float(adamw_limit(found.value, options.get("b1", 0.9), decay))
    if rule.maker == "optax.sgd":
        beta = options.get("momentum", 0.0)
        return float((nesterov_limit if options.get("nesterov") else momentum_limit)(found.value, beta))
    return float("nan")


def top_curvature(loss: Callable[..., Any], params: Any, batch: Any, rule: Any, updates: Updates) -> Sharpness:
    """Largest curvature that the rule feels: of the Hessian, or of P^-1 H for Adam."""
    return sharpness(loss, params, batch, preconditioner(rule, updates), tolerance=1e-3, most=60)


@partial(jax.jit, static_argnums=0)
def losses_along(loss: Any, params: Any, direction: Any, steps: Any, batch: Any) -> Any:
    """The loss of a batch at each step along a direction."""

    def at(step: Any) -> Any:
        return loss(jax.tree.map(lambda w, v: w + jnp.asarray(step, w.dtype) * v, params, direction), batch)

    return jax.lax.map(at, steps)
