"""Settings of logistic regression: a published one, and a real table."""

import numpy as np

from ...catalogue.registry import preset
from ...rules import GradientDescent
from .problem import DatasetLogistic


class JiTelgarsky2019:
    """Settings after The Implicit Bias of Gradient Descent on Nonseparable Data."""

    @preset(
        "separable points beside overlapping ones: weights along a ray, with an offset",
        source="JiTelgarsky2019",
        seeds=2,
        recalled=True,
        theories=("RayPlusOffset",),
    )
    @staticmethod
    def plane(points: int = 40, seed: int = 0) -> DatasetLogistic:
        """Half of the points on a line with labels that overlap, half above it with one label; descent of rate 1.

        The source shows the idea; positions are drawn here. Recalled.
        """
        random = np.random.default_rng(seed)
        half = points // 2
        line = random.normal(size=half)
        labels = np.where(line + 1.5 * random.normal(size=half) > 0, 1.0, -1.0)
        above = np.column_stack([random.normal(size=points - half), random.uniform(0.8, 2.5, size=points - half)])
        inputs = np.concatenate([np.column_stack([line, np.zeros(half)]), above])
        return DatasetLogistic(
            inputs=inputs,
            labels=np.concatenate([labels, np.ones(points - half)]),
            rule=GradientDescent(learning_rate=1.0),
        )
