"""Theory against training: what must be confirmed, what must not, and how sharp the eyes of `compare` are."""

import math
from typing import Any, ClassVar

import numpy as np
import pytest

import thalweg as tw
from thalweg.verdict.chance import student

nightly = pytest.mark.nightly

WIDE = {"dimension": 256, "samples": 512}
LONG = {"dimension": 512, "samples": 256}
FLIPPED = {"label_flip": 0.15}
DECAYED = {"weight_decay": 0.2}
RULES = {
    "flow": tw.GradientFlow(),
    "descent": tw.GradientDescent(learning_rate=0.3),
    "heavy ball": tw.HeavyBall(learning_rate=0.1, momentum=0.6),
    "Nesterov": tw.Nesterov(learning_rate=0.1, momentum=0.6),
}
STEPS = {"descent": 33, "heavy ball": 40, "Nesterov": 40}


def times_of(rule: str) -> np.ndarray:
    return np.linspace(0.0, 10.0, 101) if rule == "flow" else np.arange(STEPS[rule] + 1.0)


# the cheapest half stands in the suite; every rule, size, decay and flips run at night
AGREE = [
    pytest.param(shape, rule, more, id=f"{name}-{rule}-{kind}", marks=[] if daily else nightly)
    for shape, name in ((WIDE, "c=1/2"), (LONG, "c=2"))
    for rule, kind, more, daily in (
        ("flow", "plain", {}, True),
        ("flow", "flips", FLIPPED, shape is WIDE),
        ("flow", "decay", DECAYED, False),
        ("descent", "plain", {}, shape is WIDE),
        ("heavy ball", "plain", {}, shape is WIDE),
        ("Nesterov", "plain", {}, False),
    )
]


@pytest.mark.parametrize(("shape", "rule", "more"), AGREE)
def test_the_limit_is_confirmed(shape, rule, more):
    problem = tw.LinearClassifier(**shape, **more, rule=RULES[rule])
    result = tw.compare(problem, times_of(rule), theory=tw.MarchenkoPastur())
    assert result.attrs["verdict"] == "confirmed", result.attrs["sentence"]


@pytest.mark.parametrize("rule", ["flow", pytest.param("heavy ball", marks=nightly)])
def test_eigenmodes_are_exact_at_any_size_and_covariance(rule):
    problem = tw.LinearClassifier(
        dimension=6, samples=9, correlation=0.6, label_flip=0.2, weight_decay=0.1, rule=RULES[rule]
    )
    result = tw.compare(problem, times_of(rule), theory=tw.Eigenmodes(), seeds=6)
    assert result.attrs["verdict"] == "confirmed", result.attrs["sentence"]
    # exact theory: what is left is the integrator (relative tolerance 1e-8) or rounding
    assert result.attrs["agreement"] < (1e-5 if rule == "flow" else 1e-9)


def test_strong_correlation_is_outside_the_regime_of_the_isotropic_limit():
    problem = tw.LinearClassifier(dimension=64, samples=128, correlation=0.6)
    result = tw.compare(problem, times_of("flow"), theory=tw.MarchenkoPastur(), seeds=12)
    assert result.attrs["verdict"] == "outside its regime"
    assert "isotropic inputs" in result.attrs["sentence"]


def test_a_tiny_network_is_not_confirmed():
    problem = tw.LinearClassifier(dimension=4, samples=6)
    result = tw.compare(problem, times_of("flow"), theory=tw.MarchenkoPastur(), seeds=64)
    assert result.attrs["verdict"] in ("inconclusive", "contradicted")


def mutant(name: str, factor: float) -> tw.Theory:
    """MarchenkoPastur asked about a problem with one number `factor` times too large: the answers of a wrong theory.

    `name` is a field, or "clock": then all times are too late by that factor.
    """

    class _Mutant(tw.Theory[tw.LinearClassifier]):
        answer: Any = None

        of: ClassVar = tw.MarchenkoPastur.of
        source: ClassVar = tw.MarchenkoPastur.source
        assumptions: ClassVar = tw.MarchenkoPastur.assumptions
        conditions_on: ClassVar = ()
        speaks_of: ClassVar = tw.MarchenkoPastur.speaks_of

        def prepare(self, problem, times):
            clock = factor if name == "clock" else 1.0
            wrong = problem if name == "clock" else perturbed(problem, name, factor)
            told = tw.predict(wrong, times * clock, theory=tw.MarchenkoPastur())
            late = {n: 1 / clock for n in ("best_time_loss", "best_time_accuracy")}
            return type(self)({str(n): v.values * late.get(str(n), 1.0) for n, v in told.data_vars.items()})

        def predict(self, problem, data, start, times):
            return self.answer

        def finite_size(self, problem):
            return tw.MarchenkoPastur().finite_size(problem)

    _Mutant.__name__ = f"_{name.replace('.', '_')}_{'more' if factor > 1 else 'less'}"
    return _Mutant()


def perturbed(problem: tw.Problem, name: str, factor: float) -> tw.Problem:
    from thalweg.words.fields import vary

    owner = problem.rule if name.startswith("rule.") else problem
    value = getattr(owner, name.removeprefix("rule.")) * factor
    return vary(problem, {name: round(value) if name in ("dimension", "samples") else value})


PLAIN = ("mean_norm", "dimension", "samples", "clock")
MUTATIONS = {
    "plain": (tw.LinearClassifier(**WIDE), times_of("flow"), PLAIN),
    "all at once": (
        tw.LinearClassifier(**WIDE, init_variance=0.5, weight_decay=0.3, label_flip=0.15),
        times_of("flow"),
        (*PLAIN, "init_variance", "weight_decay", "label_flip"),
    ),
    "momentum": (
        tw.LinearClassifier(**WIDE, rule=RULES["heavy ball"]),
        times_of("heavy ball"),
        ("rule.learning_rate", "rule.momentum"),
    ),
}


def test_errors_of_ten_percent_are_caught():
    """A theory with one number 10 % off must not be confirmed; nine in ten are caught."""
    caught: dict[str, bool] = {}
    for setting, (problem, times, names) in MUTATIONS.items():
        mutants = [mutant(name, factor) for name in names for factor in (0.9, 1.1)]
        result = tw.compare(problem, times, theory=[tw.MarchenkoPastur(), *mutants], seeds=384)
        for one in mutants:
            kind = type(one).__name__
            caught[f"{setting}{kind}"] = result[f"theory/{kind}"].attrs["verdict"] != "confirmed"
        # the unspoilt theory passes beside its mutants: they are caught for their error, not for the seeds
        assert result.attrs["verdict"] == "confirmed", (setting, result.attrs["sentence"])
    share = sum(caught.values()) / len(caught)
    missed = sorted(name for name, found in caught.items() if not found)
    print(f"caught {share:.0%} of {len(caught)} mutants; missed: {', '.join(missed) or 'none'}")
    assert share >= 0.9, missed


SPREAD_SEEDS = 400


@pytest.mark.parametrize("ratio", [0.5, pytest.param(2.0, marks=nightly)])
def test_the_spread_over_seeds_falls_as_the_root_of_the_size(ratio):
    sizes = np.array([32, 64, 128])
    spreads = []
    for size in sizes:
        problem = tw.LinearClassifier(
            dimension=int(size), samples=int(size / ratio), rule=tw.GradientDescent(learning_rate=0.25)
        )
        seen = tw.train(problem, [4], seeds=SPREAD_SEEDS)
        spreads.append([float(seen[name].std()) for name in ("test_loss", "overlap")])
    lever = np.log(sizes) - np.log(sizes).mean()
    slopes = lever @ np.log(spreads) / np.sum(lever**2)
    # a standard deviation of N normal numbers is known to 1/sqrt(2N); three errors of the fitted slope, and the next
    # order, a relative 1/size, between the smallest and the largest size
    error = 3 / math.sqrt(2 * SPREAD_SEEDS * np.sum(lever**2)) + (1 / sizes[0] - 1 / sizes[-1]) / math.log(4)
    assert np.all(np.abs(slopes + 0.5) < error), (slopes, error)


@nightly
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(("ratio", "strength"), [(0.5, 1.0), (2.0, 1.0), (1.0, 4.0)])
def test_the_mean_lies_within_the_declared_finite_size(size, ratio, strength):
    problem = tw.LinearClassifier(dimension=size, samples=int(size / ratio), mean_norm=strength**0.5, init_variance=0.1)
    times = np.concatenate([[0.0, 0.2, 0.5], np.linspace(1.0, 10.0, 10)])
    seeds = 2000
    seen = tw.predict(problem, times, theory=tw.Eigenmodes(), seeds=seeds)
    told = tw.predict(problem, times, theory=tw.MarchenkoPastur())
    sizes = tw.MarchenkoPastur().finite_size(problem)
    for name in (n for n in sizes if n in told):
        gap = np.abs((seen[name].mean("seed") - told[name]).values)
        error = student(seeds, len(sizes) * times.size) * seen[name].std("seed").values / math.sqrt(seeds)
        unit = float(np.abs(told[name]).max()) if sizes[name].relative else 1.0
        assert np.all(gap <= sizes[name].amount * unit + error), (name, gap, sizes[name].amount * unit)
