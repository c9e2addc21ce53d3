"""What asking costs beside the compiled function: predict, predictor, and a sweep of 200 points against one vmap.

    python benchmarks/asking.py

Wanted: default `predict` at most 1.5 times `predict(theory=...)`; a predictor within 1.3 times of the jitted function;
a sweep of 200 scalars within 2 times of one vmap. Medians, each pair measured in turns in this process.
"""

import jax
import numpy as np
from timing import paired, show

import thalweg as tw
from thalweg.computing.skeleton import split
from thalweg.running import evaluation
from thalweg.words.fields import vary


class Cycle:
    """Values in turn, so that no call asks for what was asked before."""

    def __init__(self, low: float, high: float) -> None:
        self.values, self.place = np.linspace(low, high, 997), 0

    def __call__(self) -> float:
        self.place = (self.place + 1) % len(self.values)
        return float(self.values[self.place])


def predictors() -> None:
    """A predictor beside the jitted function, host arrays both."""
    cases = [
        ("LinearClassifier, MarchenkoPastur", tw.LinearClassifier(), tw.MarchenkoPastur(), "mean_norm", (1.0, 1.2)),
        (
            "QuadraticNetwork, HighDimensionalFlow",
            tw.QuadraticNetwork(),
            tw.HighDimensionalFlow(),
            "weight_decay",
            None,
        ),
        ("CommitteeMachine, CriticalRate", tw.CommitteeMachine(), tw.CriticalRate(), "noise", None),
    ]
    for words, problem, theory, name, span in cases:
        cycle = Cycle(*(span or (0.0, 1e-9)))
        fast = tw.predictor(problem, theory=theory)
        with jax.enable_x64():
            axis = problem.horizon()
            ready = theory.prepare(problem, axis)
            loose = [
                split((ready, vary(problem, {name: v})), evaluation.loose_sizes(ready, problem)) for v in cycle.values
            ]
        turn = Cycle(*(span or (0.0, 1e-9)))

        def jitted(loose: list = loose, axis: np.ndarray = axis, turn: Cycle = turn) -> object:
            turn()
            with jax.enable_x64():
                return jax.tree.map(np.asarray, evaluation._predict(*loose[turn.place], axis, None, None))

        ours, other, ratio = paired(lambda f=fast, n=name, c=cycle: f({n: c()}), jitted, 300)
        show(f"predictor / jitted function: {words}", ours, other, 1 / ratio)


def defaults() -> None:
    """The theory that is taken, against the same by name."""
    for problem in (tw.LinearClassifier(), tw.DeepLinear(), tw.DigitsClassifier()):
        name = tw.predict(problem).attrs["theory"]
        ours, other, ratio = paired(
            lambda p=problem: tw.predict(p), lambda p=problem, n=name: tw.predict(p, theory=n), 30
        )
        show(f"predict / predict(theory={name}): {type(problem).__name__}", ours, other, 1 / ratio)


def sweeps() -> None:
    """Two hundred points against one vmap of the same function."""
    problem, theory = tw.LinearClassifier(), tw.MarchenkoPastur()
    axis, cycle = problem.horizon(), Cycle(0.0, 0.01)
    values = np.linspace(0.5, 2.0, 200)
    with jax.enable_x64():
        ready = theory.prepare(problem, axis)
        mapped = jax.jit(jax.vmap(lambda v: ready.predict(vary(problem, {"mean_norm": v}), None, None, axis)))
        jax.block_until_ready(mapped(values))

    def one_vmap() -> object:
        with jax.enable_x64():
            return jax.tree.map(np.asarray, mapped(values + cycle()))

    def swept(**more: object) -> object:
        return tw.sweep(problem, {"mean_norm": values + cycle()}, axis, **more)

    swept()
    ours, other, ratio = paired(swept, one_vmap, 9)
    show("sweep of 200 points / one vmap", ours, other, 1 / ratio)
    ours, other, ratio = paired(
        lambda: [tw.predict(vary(problem, {"mean_norm": v}), axis) for v in values], one_vmap, 1
    )
    show("the same points by predict, one by one / one vmap", ours, other, 1 / ratio)


if __name__ == "__main__":
    predictors()
    defaults()
    sweeps()
