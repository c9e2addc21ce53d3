"""Is the level of a verdict kept? How often the interval of a mean misses a true mean, for laws of skewness 0 to 20.

    python benchmarks/verdict_levels.py [--trials 20000]

Each line is a law, each column a number of seeds; asked are 1 %. `family` is the level of the largest of 24 correlated
functionals at once, with the number of them that is taken as independent (verdict/chance.py).
"""

import argparse
import math
from collections.abc import Callable

import numpy as np

from thalweg.verdict.chance import Chance, independent, mean_gap

SEEDS = (8, 16, 24, 32, 64)
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def lognormal(spread: float) -> tuple[float, Draw]:
    """Mean and draws of exp(spread z)."""
    return math.exp(spread**2 / 2), lambda random, shape: np.exp(spread * random.standard_normal(shape))


def gamma(form: float) -> tuple[float, Draw]:
    """Mean and draws of a gamma law of this form; skewness 2/sqrt(form)."""
    return form, lambda random, shape: random.gamma(form, size=shape)


LAWS: dict[str, tuple[float, tuple[float, Draw]]] = {
    "normal": (0.0, (0.0, lambda random, shape: random.standard_normal(shape))),
    "lognormal .2": (0.61, lognormal(0.2)),
    "mean of 10 squares": (0.89, gamma(5.0)),
    "lognormal .5": (1.75, lognormal(0.5)),
    "exponential": (2.0, gamma(1.0)),
    "square of a normal": (2.83, gamma(0.5)),
    "lognormal 1": (6.18, lognormal(1.0)),
    "square of a square": (9.7, (3.0, lambda random, shape: random.standard_normal(shape) ** 4)),
    "lognormal 1.5": (33.5, lognormal(1.5)),
}


def missed(law: tuple[float, Draw], seeds: int, trials: int, random: np.random.Generator) -> float:
    """Share of trials in which the true mean lies outside."""
    mean, draw = law
    chance, count = Chance(1.0, 0.01, False), 0
    for values in draw(random, (trials, seeds)):
        distances = (values,) if np.all(values > 0) else ()
        found = mean_gap(values - mean, chance, distances)
        count += not -found.below <= found.gap <= found.above
    return count / trials


def family(seeds: int, trials: int, random: np.random.Generator) -> tuple[float, float]:
    """Share of trials in which any of 24 functionals of a random walk is missed, and as how many they count."""
    count, sizes = 0, []
    for _ in range(trials):
        walks = np.cumsum(random.standard_normal((seeds, 24)), axis=1).T
        size = independent(walks - walks.mean(1, keepdims=True), 0.01)
        found = [mean_gap(walk, Chance(size, 0.01, False)) for walk in walks]
        count += any(abs(one.gap) > one.error for one in found)
        sizes.append(size)
    return count / trials, float(np.mean(sizes))


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--trials", type=int, default=20_000)
    trials, random = asked.parse_args().trials, np.random.default_rng(0)
    print("| law | skewness |", " | ".join(f"{n} seeds" for n in SEEDS), "|")
    print("|---|---|" + "---|" * len(SEEDS))
    for name, (skewness, law) in LAWS.items():
        shares = [missed(law, seeds, trials, random) for seeds in SEEDS]
        print(f"| {name} | {skewness:.2g} |", " | ".join(f"{share:.2%}" for share in shares), "|", flush=True)
    found = [family(seeds, max(trials // 20, 200), random) for seeds in SEEDS]
    print("| 24 along a random walk | 0 |", " | ".join(f"{share:.2%} ({size:.1f})" for share, size in found), "|")


if __name__ == "__main__":
    main()
