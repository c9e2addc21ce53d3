"""Small problems on which the contract is checked: one a class, with two sets of sizes."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw


def own_outputs(params: Any, inputs: Any) -> Any:
    """A small network of a user's, on inputs in two parts, the words in whole numbers."""
    hidden = jnp.tanh(inputs["numbers"] @ params["layers"][0] + params["words"][inputs["words"]])
    return hidden @ params["layers"][1]


def own_start(key: Any) -> Any:
    """Its parameters: a tuple and a table of words."""
    one, two, three = jax.random.split(key, 3)
    layers = (0.5 * jax.random.normal(one, (3, 4)), 0.5 * jax.random.normal(two, (4, 2)))
    return {"layers": layers, "words": 0.1 * jax.random.normal(three, (5, 4))}


def own_data(points: int = 9, seed: int = 5) -> tuple:
    """Numbers and words, and two classes as one-hot rows."""
    rng = np.random.default_rng(seed)
    inputs = {"numbers": rng.standard_normal((points, 3)), "words": rng.integers(0, 5, points)}
    return inputs, np.eye(2)[rng.integers(0, 2, points)]


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


def three_classes(points: int = 120, features: int = 4) -> dict:
    """Three Gaussian classes, each with its own width, labelled 2, 5 and 7."""
    rng = np.random.default_rng(11)
    numbers = np.arange(points) % 3
    centres = 0.8 * rng.standard_normal((3, features))
    noise = rng.standard_normal((points, features)) * np.array([0.7, 1.0, 1.3])[numbers][:, None]
    return {"inputs": centres[numbers] + noise, "labels": np.array([2.0, 5.0, 7.0])[numbers]}


def few_points() -> dict:
    """Three correlated points on a line, to be given a bias."""
    return {"inputs": np.array([[-1.0], [0.5], [2.0]]), "labels": np.array([0.7, -0.5, 0.4])}


def partly_separable() -> dict:
    """Seven points, the last four of which a plane separates (card of implicit bias, section 5)."""
    rows = [(1, 0, 0), (-0.6, 0, 0), (0.8, 0, 0), (0.5, 1, 0.3), (-0.7, 1.2, -0.4), (0.2, 0.9, 0.8), (1, 2, -1)]
    return {"inputs": np.array(rows, dtype=float), "labels": np.array([1.0, 1, -1, 1, 1, 1, 1])}


def overlapping(points: int = 7) -> dict:
    """The same shape with labels that no plane separates for any point."""
    rows = partly_separable()["inputs"]
    return {"inputs": rows, "labels": np.array([1.0, 1, -1, 1, -1, -1, 1])}


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
    "LinearRegression": (
        tw.LinearRegression(dimension=6, samples=9, init_variance=0.1, spectrum=np.linspace(0.4, 1.6, 6)),
        (
            {},
            {"dimension": 7, "samples": 5, "spectrum": None, "weight_decay": 0.1, "rule": tw.SGD(0.05, batch=2)},
        ),
    ),
    "DatasetClassifier": (
        tw.DatasetClassifier(**table(), samples=20, deviation_floor=0.01),
        ({}, {"samples": 6, "moments": 60, "init_variance": 0.2, "rule": tw.SGD(0.01, batch=3, replacement=False)}),
    ),
    "DatasetClasses": (
        tw.DatasetClasses(**three_classes(), samples=20, deviation_floor=0.01),
        ({}, {"samples": 12, "bias": 0, "init_variance": 0.2, "rule": tw.GradientDescent()}),
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
        (
            {},
            {
                "dimension": 12,
                "student_units": 3,
                "weight_decay": 0.1,
                "output_rate": 2 / 3,
                "rule": tw.OnePassSGD(0.3),
            },
        ),
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
    "QuadraticRegression": (
        tw.QuadraticRegression(dimension=6, samples=80, width=3, teacher_width=2, weight_decay=0.2),
        (
            {},
            {"dimension": 5, "samples": 60, "width": 6, "inputs": tw.MatrixInputs(), "rule": tw.GradientDescent(0.05)},
        ),
    ),
    "DatasetLogistic": (
        tw.DatasetLogistic(**partly_separable()),
        ({}, {"intercept": 1, "rule": tw.HeavyBall(learning_rate=0.5)}),
    ),
    "NetworkProblem": (
        tw.NetworkProblem(
            own_outputs, own_start, data=own_data(), test_data=own_data(7, seed=6), rule=tw.GradientFlow()
        ),
        ({}, {"weight_decay": 0.1, "test_data": None, "rule": tw.SGD(learning_rate=0.05, batch=2)}),
    ),
    "DeepLinear": (
        tw.DeepLinear(widths=(3, 5, 2), init_scale=0.3),
        (
            {},
            {
                "samples": 6,
                "widths": (3, 2, 3, 2),
                "weight_decay": (0.1, 0.0, 0.05),
                "rule": tw.GradientDescent(learning_rate=0.05),
            },
        ),
    ),
}

# theories of a rule that is not the one above
OWN_CASES: dict[str, tw.Problem] = {
    "IsotropicLimit": tw.LinearRegression(dimension=24, samples=36, init_variance=0.1),
    "VolterraSGD": tw.LinearRegression(
        dimension=24, samples=36, init_variance=0.1, spectrum=np.linspace(0.4, 1.6, 24), rule=tw.SGD(learning_rate=0.02)
    ),
    "SampledModes": tw.DatasetRegression(
        **numbers(), samples=20, init_variance=0.2, weight_decay=0.1, rule=tw.SGD(learning_rate=0.05)
    ),
    "OnePassRegression": tw.LinearRegression(
        dimension=6, samples=9, init_variance=0.1, spectrum=np.linspace(0.4, 1.6, 6), rule=tw.OnePassSGD(0.4)
    ),
    "FiniteOptimum": tw.DatasetLogistic(**overlapping()),
    "OnePassQuadratic": tw.QuadraticNetwork(
        dimension=24, width=3, teacher_width=2, noise=0.3, rule=tw.OnePassSGD(learning_rate=0.05)
    ),
    # one shape for all that can share it
    "TwoLayerRiccati": tw.DeepLinear(widths=(3, 5, 2), start=tw.BalancedLayers(), init_scale=0.3),
    "DecoupledModes": tw.DeepLinear(widths=(3, 5, 2), start=tw.AlignedLayers(), init_scale=0.3),
    "UnbalancedModes": tw.DeepLinear(widths=(3, 5, 2), start=tw.AlignedLayers((0.5, 2.0)), init_scale=0.3),
    "RankOneFlow": tw.DeepLinear(widths=(3, 5, 2), start=tw.BalancedLayers(rank=1), init_scale=0.3),
    "AlignmentInvariance": tw.DeepLinear(
        widths=(3, 5, 2), start=tw.AlignedLayers((0.5, 2.0)), init_scale=0.3, rule=tw.GradientDescent(0.05)
    ),
    "RegularisedLandscape": tw.DeepLinear(widths=(3, 5, 2), init_scale=0.3, weight_decay=(0.1, 0.2)),
    # fewer samples than inputs: a distance that is not zero
    "MinimumNormWidth": tw.DeepLinear(widths=(3, 9, 2), samples=2, init_scale=0.3),
}
