"""Published settings of the linear classifier, and real digits."""

from pathlib import Path

import numpy as np

from ...data.real import Groups, digits
from ...registry import preset
from ...rules import GradientDescent, GradientFlow
from .dataset import DatasetClassifier
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

    @preset(
        "digits 1 against 7 of MNIST, from a file of the user's own",
        source="LiaoCouillet2018",
        times=lambda problem: np.unique(np.round(np.linspace(0, 300, 101))),
        seeds=100,
        recalled=True,
    )
    @staticmethod
    def mnist(path: str, samples: int = 784) -> DatasetClassifier:
        """n = p = 784, start variance 0.1, descent of rate 0.01, digits 1 and 7. Recalled.

        `path` names an .npz file with arrays `x_train` (N, 28, 28) or (N, 784) and `y_train` (N,), as MNIST is often
        stored; nothing is downloaded. ValueError where the file is missing or holds something else.
        """
        place = Path(path)
        if not place.is_file():
            raise ValueError(f"{place} does not exist; give an .npz file with the arrays x_train and y_train of MNIST.")
        with np.load(place) as stored:
            if not {"x_train", "y_train"} <= set(stored.files):
                raise ValueError(f"{place} holds {', '.join(stored.files)}; the arrays x_train and y_train are wanted.")
            images, target = stored["x_train"], stored["y_train"]
        chosen = np.isin(target, (1, 7))
        inputs = images[chosen].reshape(int(chosen.sum()), -1) / 255.0
        return DatasetClassifier(
            inputs=inputs,
            labels=np.where(target[chosen] == 7, 1.0, -1.0),
            samples=samples,
            init_variance=0.1,
            deviation_floor=0.05,
            rule=GradientDescent(learning_rate=0.01),
        )


@preset(
    "odd against even (or other groups) of scikit-learn's real digits",
    seeds=50,
    theories=("LeaveOneOut", "MeasuredMixture"),
)
def DigitsClassifier(samples: int = 200, groups: Groups = ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9))) -> DatasetClassifier:
    """8 x 8 digits of scikit-learn, p = 64; `groups` are two disjoint groups of digits, such as (3, 8).

    Real data: half of what is left after training points and fresh test points would measure moments; here two
    thirds do (1064 points with the defaults).
    """
    inputs, labels = digits(groups)
    return DatasetClassifier(inputs=inputs, labels=labels, samples=samples, deviation_floor=0.05, rule=FLOW)
