"""Small tables of users, made up, on which problems about tables are tried."""

from typing import Any

import numpy as np


def two_classes(heavy: bool = False, lopsided: bool = False) -> dict[str, Any]:
    """120 points of two Gaussian classes, labelled 0 and 1. `heavy`: whole points scaled by a wild factor; `lopsided`:
    one class 25 times wider than the other."""
    rng = np.random.default_rng(7)
    labels = np.where(np.arange(120) % 2, 1.0, 0.0)
    noise = rng.standard_normal((120, 6)) * np.linspace(0.5, 1.5, 6)
    if heavy:
        noise *= np.exp(1.5 * rng.standard_normal(120))[:, None]
    if lopsided:
        noise *= np.where(labels > 0, 5.0, 0.2)[:, None]
    return {"inputs": noise + 0.4 * (2 * labels - 1)[:, None], "labels": labels}


def three_classes() -> dict[str, Any]:
    """120 points of three Gaussian classes in four features, each with its own width, labelled 2, 5 and 7."""
    rng = np.random.default_rng(11)
    numbers = np.arange(120) % 3
    centres = 0.8 * rng.standard_normal((3, 4))
    noise = rng.standard_normal((120, 4)) * np.array([0.7, 1.0, 1.3])[numbers][:, None]
    return {"inputs": centres[numbers] + noise, "labels": np.array([2.0, 5.0, 7.0])[numbers]}


def numbers() -> dict[str, Any]:
    """60 points with noise and a linear signal, columns in units of their own."""
    rng = np.random.default_rng(3)
    inputs = 2.0 + rng.standard_normal((60, 5)) * np.linspace(0.5, 40.0, 5)
    return {"inputs": inputs, "targets": inputs @ np.linspace(1.0, 0.02, 5) + rng.standard_normal(60)}
