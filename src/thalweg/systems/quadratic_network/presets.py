"""Published settings of Martin, Bach & Biroli: figures of 2023 (their step is twice our learning rate), and of 2026."""

import numpy as np

from ...catalogue.registry import preset
from ...rules import GradientDescent, GradientFlow
from ...words.problem import Problem
from .forms import MatrixInputs
from .problem import QuadraticNetwork
from .quadratic_regression import QuadraticRegression
from .regime import SOURCE_TIME
from .starts import GaussianStart, Orthonormal

SOURCE = "MartinBachBiroli2023"
NORMALISED = GaussianStart()


def _gamma_times(last: float, steps: bool):
    """Times up to gamma = t/dimension = `last`, in whole steps or in flow time."""

    def times(problem: QuadraticNetwork) -> np.ndarray:
        rate = problem.rule.pace()
        axis = np.linspace(0.0, last * problem.dimension / SOURCE_TIME / rate, 201)
        return np.unique(np.round(axis)) if steps else axis

    return times


def _ends(problem: Problem) -> np.ndarray:
    return np.unique(np.round(np.geomspace(1.0, 12500.0, 120)))


class MartinBiroliBach2026:
    """Long-time state of the sequel on Gaussian matrices: teachers of trace d there, Z = Z_s/sqrt(d) here."""

    @preset("long-time state with weight decay on n samples", source="MartinBiroliBach2026", seeds=10)
    @staticmethod
    def decayed(
        dimension: int = 40,
        width_share: float = 0.7,
        teacher_share: float = 0.5,
        sample_ratio: float = 0.3,
        penalty: float = 0.1,
        noise_variance: float = 0.0,
    ) -> QuadraticRegression:
        """(kappa, kappa*) = (.7, .5), lambda = .5, .1, .05; (.35, .3), .1, .05, .01; (.4, .3), .01, Delta = .1 to 1.

        There d = 100 to 150 and descent; here d = 40 and gradient flow, at a sample ratio n/d^2 of our choice, since
        samples are d^4 numbers.
        """
        width, teacher = round(width_share * dimension), round(teacher_share * dimension)
        # entries of variance 1/m in the source; Z = Z_s/sqrt(d)
        unit = dimension**-0.25
        return QuadraticRegression(
            dimension=dimension,
            samples=round(sample_ratio * dimension**2),
            width=width,
            teacher_width=teacher,
            noise=noise_variance**0.5,
            weight_decay=4 * penalty / dimension**0.5,
            inputs=MatrixInputs(),
            start=GaussianStart(init_scale=unit * width**-0.5),
            teacher=GaussianStart(init_scale=unit * teacher**-0.5),
        )


class MartinBachBiroli2023:
    """Figures 1 to 6 of the paper on overparameterisation in high dimensions, as its scripts have them."""

    @preset(
        "relative position of two random subspaces (histogram of the start)",
        source=SOURCE,
        times=lambda problem: np.zeros(1),
        seeds=3,
        theories=("HighDimensionalFlow",),
    )
    @staticmethod
    def figure1() -> QuadraticNetwork:
        """d = 2000, alpha = 0.3, alpha* = 0.5. Drawn there is the spectrum of U'P*U at the start; here its mean.

        Time 0 is all that the figure needs. Minutes: the curvature at the teacher is measured on every draw.
        """
        return QuadraticNetwork(dimension=2000, width=600, teacher_width=1000, start=Orthonormal(), rule=GradientFlow())

    @preset(
        "trace integral of orthonormal families against its limit",
        source=SOURCE,
        times=_gamma_times(10.0, True),
        seeds=5,
        theories=("HighDimensionalFlow", "NextOrderFlow"),
    )
    @staticmethod
    def figure2(dimension: int = 80, width: int = 40, teacher_width: int = 20) -> QuadraticNetwork:
        """d = 20, 40, 80, 200; (alpha, alpha*) = (1/2, 1/4), (1/2, 1/2), (1/4, 1/2); eta = .01, gamma to 10."""
        rule = GradientDescent(learning_rate=0.005)
        return QuadraticNetwork(
            dimension=dimension, width=width, teacher_width=teacher_width, start=Orthonormal(), rule=rule
        )

    @preset(
        "overlap of orthonormal families against its limit, by gradient flow",
        source=SOURCE,
        times=_gamma_times(1.25, False),
        seeds=24,
        theories=("HighDimensionalFlow",),
    )
    @staticmethod
    def figure3(dimension: int = 200, width: int = 100, teacher_width: int = 50) -> QuadraticNetwork:
        """Figure 2's runs by their overlap; here as gradient flow and up to gamma = 1.25, where it saturates."""
        return QuadraticNetwork(
            dimension=dimension, width=width, teacher_width=teacher_width, start=Orthonormal(), rule=GradientFlow()
        )

    @preset(
        "Gaussian families against the orthonormal limit, as published, and against their own curve",
        source=SOURCE,
        times=_gamma_times(10.0, True),
        seeds=5,
        theories=("HighDimensionalFlow", "RandomStartFlow"),
    )
    @staticmethod
    def figure4(dimension: int = 80, width: int = 40, teacher_width: int = 20) -> QuadraticNetwork:
        """Figure 2 with entries of variance 1/(d m) and 1/(d m*): phi lies off the orthonormal curve by order 0.1."""
        return QuadraticNetwork(
            dimension=dimension,
            width=width,
            teacher_width=teacher_width,
            start=NORMALISED,
            teacher=NORMALISED,
            rule=GradientDescent(learning_rate=0.005),
        )

    @preset(
        "power law and exponential of the loss at late times",
        source=SOURCE,
        times=_ends,
        seeds=5,
        theories=("LongTimeRate",),
    )
    @staticmethod
    def figure5(dimension: int = 40, teacher_width: int = 10) -> QuadraticNetwork:
        """d = 20, 40, 100; m = d/2; m* = m/2 (t^2 R) or m (exponential); variances 1/m, 1/m*; eta = 0.002, 12500 steps.

        Traces are of order d here, and the clock is d times faster. Asymptotes of t^2 R: 35/384 at d = 20, m* = 5.
        """
        width = dimension // 2
        return QuadraticNetwork(
            dimension=dimension,
            width=width,
            teacher_width=teacher_width,
            start=GaussianStart(init_scale=width**-0.5),
            teacher=GaussianStart(init_scale=teacher_width**-0.5),
            rule=GradientDescent(learning_rate=0.001),
        )

    @preset(
        "approach of the overlap to its end in the limit",
        source=SOURCE,
        times=_gamma_times(3.0, False),
        seeds=5,
        theories=("HighDimensionalFlow", "NextOrderFlow"),
    )
    @staticmethod
    def figure6(dimension: int = 80, width: int = 40, teacher_width: int = 20) -> QuadraticNetwork:
        """Figure 2's pairs, gamma to 3. The constants drawn there (2e-3, 2, .5) are fits; exact: 4.883e-4, .7071."""
        return QuadraticNetwork(
            dimension=dimension, width=width, teacher_width=teacher_width, start=Orthonormal(), rule=GradientFlow()
        )
