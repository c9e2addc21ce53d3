"""Published settings of shallow ReLU networks from a small start."""

import jax
import numpy as np

from ...catalogue.registry import preset
from ...computing.float64 import float64, root_key
from ...rules import GradientDescent, GradientFlow
from .problem import OrthogonalReLU
from .user_inputs import UserInputsReLU

FLOW = GradientFlow(tolerance=1e-10)
# the source's rate 1e-3 multiplies the gradient of the mean square, twice the loss here
SOURCE_RATE = 2e-3


def _steps(last: int) -> np.ndarray:
    return np.unique(np.round(np.linspace(0, last, 201)))


class Boursier2022:
    """Experiments of Gradient flow dynamics of shallow ReLU networks for square loss and orthogonal inputs.

    Parameters are those of the authors' public code; flow time is 2e-3 of their steps. They start each weight from
    N(0, lambda^2 / m), or N(0, lambda^2 / (m d)), with |a_j| = |w_j| and signs by fair coins.
    """

    @preset(
        "two orthogonal points on a line with a bias: alignment, then one jump a sign",
        source="Boursier2022",
        times=lambda problem: np.linspace(0.0, 40.0, 201),
    )
    @staticmethod
    def toy(scale: float = 1e-6) -> OrthogonalReLU:
        """x = -1/2 and 2 with a bias input 1, y = -1 and 1, m = 60, lambda = 1e-6: 20000 steps there, time 40 here.

        In reduced coordinates: norms sqrt(1.25) and sqrt(5), weights of standard deviation lambda/sqrt(60).
        """
        return OrthogonalReLU(
            labels=(-1.0, 1.0), norms=(1.25**0.5, 5.0**0.5), width=60, init_scale=scale / 60**0.5, rule=FLOW
        )

    @preset(
        "the two points again, without the reduction, by the source's own descent",
        source="Boursier2022",
        times=lambda problem: _steps(20_000),
    )
    @staticmethod
    def toy_descent(scale: float = 1e-6) -> UserInputsReLU:
        """The inputs of `toy` with a bias, 20000 steps of descent at rate 1e-3 on the mean square (2e-3 here)."""
        return UserInputsReLU(
            inputs=np.array([[-0.5], [2.0]]),
            labels=(-1.0, 1.0),
            bias=1,
            width=60,
            init_scale=scale / 60**0.5,
            rule=GradientDescent(learning_rate=SOURCE_RATE),
        )

    @preset(
        "five points on a line with a bias, not orthogonal",
        source="Boursier2022",
        times=lambda problem: _steps(400_000),
        seeds=4,
    )
    @staticmethod
    def five_points(scale: float = 1e-3) -> UserInputsReLU:
        """x = -1.5, -1, 0, .25, 2, y = .7, -.3, -.3, .4, .2, m = 60, weights of deviation lambda/60, 400000 steps.

        The labels are those of September 2022 (June: -.4 in place of the second -.3).
        """
        return UserInputsReLU(
            inputs=np.array([[-1.5], [-1.0], [0.0], [0.25], [2.0]]),
            labels=(0.7, -0.3, -0.3, 0.4, 0.2),
            bias=1,
            width=60,
            init_scale=scale / 60,
            rule=GradientDescent(learning_rate=SOURCE_RATE),
        )

    @preset(
        "75 Gaussian inputs in 150 dimensions, nearly orthogonal, labels of a small teacher",
        source="Boursier2022",
        times=lambda problem: _steps(round(400 / problem.rule.learning_rate)),
        seeds=1,
    )
    @staticmethod
    def high_dimension(seed: int = 96, learning_rate: float = SOURCE_RATE) -> UserInputsReLU:
        """n = 75, d = 150, m = 200, teacher of 6 ReLU units, lambda = 1e-20 / sqrt(200 150), 200000 steps.

        Another draw than the source's, whose random numbers are those of its framework: draw 96 is one with drives of
        both signs (.325, .195) and a loss on negative labels (.0086) near theirs. A rate of 2e-2 reaches the same flow
        time, 400, in 20000 steps.
        """
        inputs, labels = teacher_sample(seed, points=75, dimension=150, units=6)
        return UserInputsReLU(
            inputs=inputs,
            labels=labels,
            width=200,
            init_scale=1e-20 / (200 * 150) ** 0.5,
            rule=GradientDescent(learning_rate=learning_rate),
        )


def teacher_sample(seed: int, points: int, dimension: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard Gaussian inputs, and a ReLU teacher: hidden N(0, 1/(units dimension)), output N(0, 1/units)."""
    with float64():
        draws = jax.random.split(root_key(seed), 3)
        inputs, hidden, output = (
            np.asarray(jax.random.normal(key, shape, dtype="float64"))
            for key, shape in zip(draws, ((points, dimension), (units, dimension), (units,)), strict=True)
        )
    hidden, output = hidden / (units * dimension) ** 0.5, output / units**0.5
    return inputs, np.maximum(inputs @ hidden.T, 0.0) @ output
