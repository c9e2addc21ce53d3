"""Starts and spectra that the tests of the quadratic network share."""

import numpy as np


def cosine_start(d: int, m: int) -> np.ndarray:
    i, j = np.arange(d)[:, None], np.arange(m)[None, :]
    return np.cos((i + 1) * (2 * j + 1) * 0.7 + 0.3 * j) / np.sqrt(d * m)


def padded(values, d: int) -> np.ndarray:
    return np.concatenate([values, np.zeros(d - len(values))])
