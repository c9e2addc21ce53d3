"""Published settings of linear regression, as they are remembered."""

import numpy as np

from ...catalogue.registry import preset
from ...rules import SGD, GradientFlow
from .problem import LinearRegression

FLOW = GradientFlow()


def _log_times(problem: object) -> np.ndarray:
    return np.concatenate([[0.0], np.geomspace(0.01, 100.0, 160)])


class AdvaniSaxe2017:
    """Settings of High-dimensional dynamics of generalization error in neural networks."""

    @preset(
        "train and test error in time, samples over features from below to above 1",
        source="AdvaniSaxe2017",
        times=_log_times,
        recalled=True,
    )
    @staticmethod
    def overtraining(samples: int = 300, noise: float = 0.5, init_variance: float = 0.0) -> LinearRegression:
        """p = 300; vary `samples` (150 to 600), `noise` and `init_variance` as their figures do. Recalled.

        Overtraining is worst at samples = p; with fewer samples than features the late error rises with the start.
        """
        return LinearRegression(
            dimension=300, samples=samples, signal_norm=1.0, noise=noise, init_variance=init_variance, rule=FLOW
        )


class AliKolterTibshirani2018:
    """Settings of A Continuous-Time View of Early Stopping for Least Squares Regression."""

    @preset(
        "risk of gradient flow beside that of ridge at the penalty 1/t",
        source="AliKolterTibshirani2018",
        times=_log_times,
        recalled=True,
        theories=("IsotropicLimit", "RidgePath"),
    )
    @staticmethod
    def paths(dimension: int = 500, samples: int = 1000) -> LinearRegression:
        """Gaussian features, |beta| = 1, noise of variance 1; dimension over samples 1/2, or 2 (1000, 500). Recalled.

        With `theory=tw.RidgePath()` the bound 1.69 on the ratio of both risks, for the whole path.
        """
        return LinearRegression(dimension=dimension, samples=samples, signal_norm=1.0, noise=1.0, rule=FLOW)


class Paquette2021:
    """Settings of SGD in the Large: Average-case Analysis, Asymptotics, and Stepsize Criticality."""

    @preset(
        "loss of multi-pass SGD against its Volterra equation, below and above the critical step",
        source="Paquette2021",
        recalled=True,
    )
    @staticmethod
    def criticality(dimension: int = 256, step: float = 0.8) -> LinearRegression:
        """p = 256 (128 to 1024), n = 2 p, |beta| = 1, noise 1/2; learning rate `step`/p, critical at 2. Recalled."""
        return LinearRegression(
            dimension=dimension, samples=2 * dimension, noise=0.5, rule=SGD(learning_rate=step / dimension)
        )
