"""Published settings of the linear classifier."""

import numpy as np

from ...catalogue.registry import preset
from ...rules import GradientFlow
from .problem import LinearClassifier

FLOW = GradientFlow()


def _log_times(problem: object) -> np.ndarray:
    return np.concatenate([[0.0], np.geomspace(0.01, 100.0, 160)])


class CouilletLiao2022:
    """Settings of section 5.2 of Random Matrix Methods for Machine Learning."""

    @preset(
        "train and test error of a linear classifier in time",
        source="CouilletLiao2022",
        times=lambda problem: np.linspace(0.0, 10.0, 201),
        seeds=50,
    )
    @staticmethod
    def flow() -> LinearClassifier:
        """p = 256, n = 512, |mu| = 1, start variance 0.1, no decay: 1000 steps of rate 0.01 there, flow time 10 here.

        The source draws one start for all 50 data sets; here every seed draws its own, which adds its spread.
        """
        return LinearClassifier(dimension=256, samples=512, mean_norm=1.0, init_variance=0.1, rule=FLOW)

    @preset(
        "weight decay against none at p = n, over four decades of time",
        source="CouilletLiao2022",
        times=_log_times,
        seeds=50,
    )
    @staticmethod
    def decay(weight_decay: float = 0.1) -> LinearClassifier:
        """p = n = 512, |mu|^2 = 2, start variance 0.1, decay 0.1 (or 0): 1000 steps of rate 0.1 there, flow 100."""
        return LinearClassifier(
            dimension=512,
            samples=512,
            mean_norm=2**0.5,
            init_variance=0.1,
            weight_decay=weight_decay,
            rule=FLOW,
        )


class LiaoCouillet2018:
    """Settings of The Dynamics of Learning: A Random Matrix Approach, as they are remembered."""

    @preset(
        "train and test error in time, a strong class mean",
        source="LiaoCouillet2018",
        times=lambda problem: np.linspace(0.0, 3.0, 151),
        seeds=50,
        recalled=True,
    )
    @staticmethod
    def curves() -> LinearClassifier:
        """p = 256, n = 512, |mu| = 2, start variance 0.1: 300 steps of rate 0.01 there, flow time 3 here. Recalled."""
        return LinearClassifier(dimension=256, samples=512, mean_norm=2.0, init_variance=0.1, rule=FLOW)

    @preset(
        "best accuracy and stopping time against the size of the start",
        source="LiaoCouillet2018",
        times=lambda problem: np.linspace(0.0, 20.0, 201),
        recalled=True,
    )
    @staticmethod
    def stopping(init_variance: float = 0.5) -> LinearClassifier:
        """|mu|^2 = 4, c = 1/2, any start variance; sweep `init_variance` to draw the figure. Recalled."""
        return LinearClassifier(dimension=256, samples=512, mean_norm=2.0, init_variance=init_variance, rule=FLOW)
