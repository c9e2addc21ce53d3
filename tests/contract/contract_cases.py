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


def few_points() -> dict:
    """Three correlated points on a line, to be given a bias."""
    return {"inputs": np.array([[-1.0], [0.5], [2.0]]), "labels": np.array([0.7, -0.5, 0.4])}


def numbers(points: int = 60, features: int = 5, seed: int = 3) -> dict:
    """A table with noise and a linear signal, in units of its own."""
    rng = np.random.default_rng(seed)
    inputs = 2.0 + rng.standard_normal((points, features)) * np.linspace(0.5, 40.0, features)
    return {"inputs": inputs, "targets": inputs @ np.linspace(1.0, 0.02, features) + rng.standard_normal(points)}


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
    "DatasetRegression": (
        tw.DatasetRegression(**numbers(), samples=20),
        ({}, {"samples": 6, "init_variance": 0.2, "rule": tw.Nesterov(learning_rate=0.05)}),
    ),
    "OrthogonalReLU": (
        tw.OrthogonalReLU(labels=(1.0, 0.7, -0.6), norms=(1.0, 1.2, 0.9), width=10, init_scale=1e-5),
        ({}, {"width": 7, "balance": 0.6, "rule": tw.GradientDescent(learning_rate=0.2)}),
    ),
    "CommitteeMachine": (
        tw.CommitteeMachine(dimension=16, noise=0.1, rule=tw.OnePassSGD(learning_rate=0.5)),
        ({}, {"dimension": 12, "student_units": 3, "weight_decay": 0.1, "rule": tw.OnePassSGD(0.3, 0.2)}),
    ),
    "UserInputsReLU": (
        tw.UserInputsReLU(
            **few_points(), bias=1, width=6, init_scale=1e-3, rule=tw.GradientFlow(1e-8, smallest_step=0.02)
        ),
        ({}, {"width": 5, "bias": 0, "rule": tw.GradientDescent()}),
    ),
    "QuadraticNetwork": (
        tw.QuadraticNetwork(dimension=8, width=4, teacher_width=2),
        ({}, {"dimension": 5, "width": 6, "teacher_width": 3, "rule": tw.OnePassSGD(learning_rate=0.02)}),
    ),
}

# theories of a rule that is not the one above
OWN_CASES: dict[str, tw.Problem] = {
    "OnePassQuadratic": tw.QuadraticNetwork(
        dimension=24, width=3, teacher_width=2, noise=0.3, rule=tw.OnePassSGD(learning_rate=0.05)
    ),
}
