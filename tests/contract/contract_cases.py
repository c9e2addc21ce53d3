"""Small problems on which the contract is checked: one a class, with two sets of sizes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import thalweg as tw


def table(points: int = 120, features: int = 6, seed: int = 7, heavy: bool = False, lopsided: bool = False) -> dict:
    """Two Gaussian classes as a user would hand them in; `heavy`: whole points scaled by a wild factor."""
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(points) % 2, 1.0, 0.0)
    noise = rng.standard_normal((points, features)) * np.linspace(0.5, 1.5, features)
    if heavy:
        noise *= np.exp(1.5 * rng.standard_normal(points))[:, None]
    if lopsided:
        noise *= np.where(labels > 0, 5.0, 0.2)[:, None]
    return {"inputs": noise + 0.4 * (2 * labels - 1)[:, None], "labels": labels}


# the second shape of each moves in whole steps
PROBLEMS: dict[str, tuple[tw.Problem, tuple[Mapping[str, Any], ...]]] = {
    "LinearClassifier": (
        tw.LinearClassifier(dimension=6, samples=9),
        ({}, {"dimension": 7, "samples": 5, "label_flip": 0.3, "rule": tw.HeavyBall(learning_rate=0.05)}),
    ),
    "DatasetClassifier": (
        tw.DatasetClassifier(**table(), samples=20, deviation_floor=0.01),
        ({}, {"samples": 5, "moments": 60, "init_variance": 0.2, "rule": tw.GradientDescent()}),
    ),
    "QuadraticNetwork": (
        tw.QuadraticNetwork(dimension=8, width=4, teacher_width=2),
        ({}, {"dimension": 5, "width": 6, "teacher_width": 3, "rule": tw.GradientDescent(learning_rate=0.02)}),
    ),
}
