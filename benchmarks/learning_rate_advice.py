"""Advice about learning rates against its rivals, judged by training at a fine grid of constant rates.

Truth: final training loss after all steps at six rates a decade over five decades, mean of three seeds. Each method
sees the start and the data of a seed and names one rate. Regret at equal compute: what a method costs is taken off the
steps of the training that follows; regret = (loss - best) / (first loss - best), best without any cost, at most 1.
Where a method names none (a refusal, an infinite linear range) the usual default is used and counted as a miss.
The advice and successive halving are asked with several shares of the training to spend.
Run: python benchmarks/learning_rate_advice.py [published | earlier | development] [file.json]
"""

import functools
import itertools
import json
import math
import sys
import time
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import learning_rate_problems as problems
import learning_rate_published
import numpy as np

import thalweg as tw
from thalweg.diagnostics import own_loss, step_marks, updates

SEEDS = (0, 1, 2)
WINDOW = {"GradientDescent": (-3, 2), "HeavyBall": (-4, 1), "Optax": (-5, 0)}
TIED = 0.002  # of the way from the first loss to the best
BUDGETS = (0.3, 0.5, 0.7)
SETS = {
    "published": learning_rate_published.published,
    "earlier": problems.earlier,
    "development": problems.development,
}
METHODS = (
    *(f"advice, {share}" for share in BUDGETS),
    "linear range",
    "finder",
    "2/sharpness",
    "usual default",
    *(f"successive halving, {share}" for share in BUDGETS),
)


class Named(NamedTuple):
    """A rate (NaN: none), its cost in gradients, whether a warning came with it, and its range."""

    rate: float
    cost: float = 0.0
    warned: bool = False
    low: float = math.nan
    high: float = math.nan


class Setup(NamedTuple):
    case: problems.Case
    task: own_loss.Task
    loss: Any
    usual: float


def advice(setup: Setup, budget: float) -> Named:
    case, task = setup.case, setup.task
    told = tw.diagnostics.advise_rate(
        setup.loss, task.params, task.batches, case.network.states, case.rule, steps=case.steps, budget=budget
    )
    return Named(told.rate, told.cost, bool(told.warnings) or told.refused, told.low, told.high)


def linear_range(setup: Setup) -> Named:
    """Ni and Talnikar's procedure along the rule's own updates, its memory filled by ten gradients."""
    task = setup.task
    warm = 0 if isinstance(task.rule, tw.GradientDescent) else 10
    filled = updates.frozen_updates(setup.loss, task.params, task.batches, task.rule, warm, 1)
    transform = task.rule.transform()

    def way(params: Any, batch: Any) -> Any:
        return updates._frozen(setup.loss, transform, params, filled.state, batch)[0]

    found = tw.diagnostics.suggest_learning_rate(
        setup.loss, task.params, itertools.cycle(task.batches), setup.case.network.states, direction=way
    )
    rate = found.step if math.isfinite(found.step) else math.nan
    # 50 minibatches: a gradient, a tangent pass and a forward pass each
    return Named(rate, warm + 50 * 2.0)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sweep(loss: Any, transform: Any, params: Any, stacked: Any, rates: Any) -> Any:
    count = jax.tree.leaves(stacked)[0].shape[0]

    def one(carry: Any, at: Any) -> Any:
        now, state = carry
        batch = jax.tree.map(lambda leaf: leaf[at[0] % count], stacked)
        value, slope = jax.value_and_grad(loss)(now, batch)
        update, state = transform.update(slope, state, now)
        return (jax.tree.map(lambda w, u: w + at[1] * u, now, update), state), value

    return jax.lax.scan(one, (params, transform.init(params)), (jnp.arange(rates.size), rates))[1]


def finder(setup: Setup) -> Named:
    """torch-lr-finder as in its manual: 1e-7 to 100 in 100 steps, smoothing 0.05, steepest after 10 and before -5."""
    task = setup.task
    rates = 1e-7 * (100 / 1e-7) ** (np.arange(100) / 99)
    losses = np.asarray(
        _sweep(setup.loss, task.rule.transform(), task.params, task.stacked, jnp.asarray(rates, jnp.float32))
    )
    smooth = [float(losses[0])]
    for value in losses[1:]:
        smooth.append(0.05 * float(value) + 0.95 * smooth[-1])
        if not smooth[-1] <= 5 * min(smooth):
            break
    kept = np.asarray(smooth)[10:-5]
    if kept.size < 2:  # the losses of tiny batches scatter so much that the sweep stops at once
        return Named(math.nan, float(len(smooth)))
    kept = np.where(np.isfinite(kept), kept, np.nan)
    return Named(float(rates[10:][int(np.nanargmin(np.gradient(kept)))]), 100.0)


def sharpness(setup: Setup) -> Named:
    task = setup.task
    warm = 0 if isinstance(task.rule, tw.GradientDescent) else 10
    filled = updates.frozen_updates(task.loss, task.params, task.batches, task.rule, warm, 1)
    mark = step_marks._stability(task, filled, 4)
    return Named(mark.rate if math.isfinite(mark.rate) else math.nan, mark.cost + warm + 1)


def usual_default(setup: Setup) -> Named:
    return Named(setup.usual)


def halving(setup: Setup, compute: float) -> Named:
    """Ten rates half a decade apart around the usual default; 10, 5, 3, 2 runs go on, each round for a quarter."""
    rates = setup.usual * 10.0 ** np.arange(-2, 2.6, 0.5)
    counts, watched = (10, 5, 3, 2), step_marks.watch(setup.task, 4, 16)
    looks = sum(counts) * watched / 3
    ends = np.cumsum([max(1.0, (compute - looks) / 4 / n) for n in counts])
    ticks = np.maximum.accumulate(np.maximum(1, np.round(ends)).astype(int) + np.arange(4) * 0)
    ticks = ticks + np.arange(4) * (np.diff(ticks, prepend=0) == 0)
    losses = own_loss.at_rates(setup.task, rates, ticks, watched).losses
    alive = np.arange(rates.size)
    for k in range(4):
        order = np.argsort(np.where(np.isfinite(losses[alive, k]), losses[alive, k], np.inf))
        alive = alive[order[: (5, 3, 2, 1)[k]]]
    return Named(float(rates[alive[0]]), compute)


def judged(case: problems.Case, seed: int) -> dict[str, Any]:
    """Truth and all methods for one seed."""
    loss = case.loss
    task = own_loss.checked(loss, case.network.start(jax.random.key(seed)), case.batches(seed), case.rule)
    kind = type(case.rule).__name__
    setup = Setup(case, task, loss, problems.USUAL[kind])
    low, high = WINDOW[kind]
    grid = 10.0 ** np.arange(low, high + 1e-9, 1 / 6)
    size = jax.tree.leaves(task.batches[0])[0].shape[0]
    watched = max(1, 1024 // size)
    truth = own_loss.at_rates(task, grid, [0, case.steps], watched).losses
    told = {f"advice, {share}": advice(setup, share) for share in BUDGETS}
    told |= {"linear range": linear_range(setup), "finder": finder(setup)}
    told |= {"2/sharpness": sharpness(setup), "usual default": usual_default(setup)}
    told |= {f"successive halving, {share}": halving(setup, told[f"advice, {share}"].cost) for share in BUDGETS}
    rates = [t.rate if math.isfinite(t.rate) else setup.usual for t in told.values()]
    left = [max(1, case.steps - round(t.cost)) for t in told.values()]
    ticks = sorted({*left, case.steps})
    ends = own_loss.at_rates(task, rates, ticks, watched).losses
    reached = {m: float(ends[i, ticks.index(n)]) for i, (m, n) in enumerate(zip(told, left, strict=True))}
    free = {m: float(ends[i, -1]) for i, m in enumerate(told)}
    return {"grid": grid, "first": truth[0, 0], "truth": truth[:, 1], "told": told, "reached": reached, "free": free}


def summary(case: problems.Case, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One problem: the best rate, and for each method its rate over the best, regrets, divergences."""
    truth = np.asarray([np.where(np.isfinite(r["truth"]), r["truth"], np.inf) for r in rows])
    grid, mean, first = rows[0]["grid"], truth.mean(axis=0), float(np.mean([r["first"] for r in rows]))
    best = int(mean.argmin())
    found: dict[str, Any] = {"name": case.name, "best": float(grid[best]), "loss": float(mean[best]), "first": first}
    # rates that are as good as the best for all that matters, and the best of each seed alone
    found["tied"] = [float(r) for r in grid[mean - mean[best] <= TIED * (first - mean[best])]]
    found["own"] = [float(grid[i] / grid[best]) for i in truth.argmin(axis=1)]
    for method in METHODS:
        told = [r["told"][method] for r in rows]
        ratios = [t.rate / grid[best] for t in told]
        known = [x for x in ratios if math.isfinite(x)]

        def regret(key: str, method: str = method) -> float:
            gaps = [(r[key][method] - mean[best]) / (r["first"] - mean[best]) for r in rows]
            return float(np.mean([min(1.0, g) if math.isfinite(g) else 1.0 for g in gaps]))

        lost = [not r["free"][method] < r["first"] for r in rows]
        found[method] = {
            "ratio": float(np.exp(np.median(np.log(known)))) if 2 * len(known) > len(rows) else None,
            "each": [x if math.isfinite(x) else None for x in ratios],
            "equal": regret("reached"),
            "free": regret("free"),
            "cost": float(np.mean([t.cost for t in told])) / case.steps,
            "diverged": int(sum(lost)),
            "silent": int(sum(a and not t.warned for a, t in zip(lost, told, strict=True))),
            "inside": int(sum(t.low <= grid[best] * (1 + 1e-9) and grid[best] <= t.high * (1 + 1e-9) for t in told)),
        }
    return found


def within(factor: float, ratio: float | None) -> bool:
    return ratio is not None and 1 / factor <= ratio * (1 + 1e-9) and ratio <= factor * (1 + 1e-9)


def as_good(f: dict[str, Any], method: str) -> bool:
    """Whether a method's rate is within a factor 3 of one that is as good as the best."""
    ratio = f[method]["ratio"]
    return ratio is not None and any(within(3, ratio * f["best"] / rate) for rate in f["tied"])


def tables(found: list[dict[str, Any]]) -> str:
    """Two tables in Markdown: by method, and by problem."""
    n, runs = len(found), len(found) * len(SEEDS)
    lines = [
        "| method | within 2 | within 3 | within 3 of as good | single seeds within 3 | median regret | mean regret | "
        "median without its cost | cost | diverged (silent) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for m in METHODS:
        rows = [f[m] for f in found]
        single = sum(within(3, x) for r in rows for x in r["each"])
        counts = [sum(within(k, r["ratio"]) for r in rows) for k in (2, 3)]
        equal, free = [r["equal"] for r in rows], [r["free"] for r in rows]
        lines.append(
            f"| {m} | {counts[0]} of {n} | {counts[1]} of {n} | "
            f"{sum(as_good(f, m) for f in found)} of {n} | {single / runs:.0%} | {np.median(equal):.2%} | "
            f"{np.mean(equal):.2%} | {np.median(free):.2%} | {np.mean([r['cost'] for r in rows]):.0%} | "
            f"{sum(r['diverged'] for r in rows)} ({sum(r['silent'] for r in rows)}) of {runs} |"
        )
    lines += ["", "| problem | best rate | " + " | ".join(METHODS) + " |", "|---" * (2 + len(METHODS)) + "|"]
    for f in found:
        cells = [
            f"{f[m]['ratio']:.2g}; {f[m]['equal']:.1%}" if f[m]["ratio"] else f"none; {f[m]['equal']:.1%}"
            for m in METHODS
        ]
        lines.append(f"| {f['name']} | {f['best']:.2g} | " + " | ".join(cells) + " |")
    own = sum(within(3, x) for f in found for x in f["own"])
    inside = [f"{sum(f[f'advice, {share}']['inside'] for f in found)} ({share})" for share in BUDGETS]
    said = f"Of {runs} seeds, the best rate lay inside the advised range for {' and '.join(inside)}. The best rate of a"
    return "\n".join([*lines, "", f"{said} single seed lay within a factor 3 of the best of the mean for {own}."])


def main() -> None:
    words = sys.argv[1:]
    chosen = words[0] if words else "published"
    warnings.simplefilter("ignore", UserWarning)
    begin, found = time.process_time(), []
    for case in SETS[chosen]():
        start = time.process_time()
        found.append(summary(case, [judged(case, seed + (100 if chosen == "development" else 0)) for seed in SEEDS]))
        f = found[-1]
        print(
            f"{case.name}: best {f['best']:.3g}, loss {f['loss']:.3g} of {f['first']:.3g}; "
            + ", ".join(f"{m} {f[m]['ratio'] or math.nan:.2g} ({f[m]['equal']:.1%})" for m in METHODS)
            + f"; {time.process_time() - start:.0f} CPU s",
            flush=True,
        )
        if len(words) > 1:  # kept after each problem
            with open(words[1], "w") as file:
                json.dump(found, file, indent=1)
        jax.clear_caches()
    print(f"\n{tables(found)}\n\n{time.process_time() - begin:.0f} CPU seconds.")


if __name__ == "__main__":
    main()
