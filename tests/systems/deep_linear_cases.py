"""Deterministic matrices, starts and independent integrations that the tests of deep linear networks share."""

from functools import reduce

import numpy as np
import scipy.integrate


def det(n: int, m: int, k: int, c: float) -> np.ndarray:
    """The deterministic matrix of the card: c sin(1 + k + 3i + 5j + 0.7 i j)."""
    i, j = np.arange(n)[:, None], np.arange(m)[None, :]
    return c * np.sin(1 + k + 3 * i + 5 * j + 0.7 * i * j)


Z0 = det(3, 4, 0, 1.5)
STRENGTHS = np.array([2.7257703876178576, 2.0526563793369843, 1.0025550153677858])
W1 = det(3, 4, 1, 0.4)
W2 = np.array(
    [
        [-0.455647593503755, -0.710222571691180, 0.316383156694155],
        [0.575886261649510, -0.457130273394720, 0.837548630087366],
        [-0.596694308491258, 0.383670106337235, 0.515704384368392],
    ]
)


def whole(layers) -> np.ndarray:
    return reduce(lambda done, layer: layer @ done, layers)


def slopes(layers, missed) -> list[np.ndarray]:
    """Gradient of each layer, for the gradient `missed` of the product."""
    found = []
    for j in range(len(layers)):
        before = whole(layers[:j]) if j else np.eye(layers[0].shape[1])
        after = whole(layers[j + 1 :]) if j + 1 < len(layers) else np.eye(layers[-1].shape[0])
        found.append(after.T @ missed @ before.T)
    return found


def integrated(layers, covariance, correlation, times, decays=0.0, rtol=1e-13, atol=1e-15) -> list[list[np.ndarray]]:
    """The layers of the flow of (1/2) tr W S W' - tr W C' at these times, by an adaptive method of order 8."""
    shapes = [layer.shape for layer in layers]
    cuts = np.cumsum([layer.size for layer in layers])[:-1]
    decays = np.broadcast_to(decays, (len(layers),))

    def unpack(state):
        return [part.reshape(shape) for part, shape in zip(np.split(state, cuts), shapes, strict=True)]

    def field(_, state):
        now = unpack(state)
        parts = slopes(now, whole(now) @ covariance - correlation)
        return -np.concatenate([(g + d * w).ravel() for g, d, w in zip(parts, decays, now, strict=True)])

    start = np.concatenate([np.ravel(layer) for layer in layers])
    run = scipy.integrate.solve_ivp(field, (0, times[-1]), start, "DOP853", times, rtol=rtol, atol=atol)
    return [unpack(state) for state in run.y.T]


def rank_one(size: float, u, v, depth: int, hidden: int) -> tuple[np.ndarray, ...]:
    """Balanced layers of rank one with the product size u v' (u, v are normalised)."""
    frames = [v / np.linalg.norm(v), *np.eye(hidden)[: depth - 1], u / np.linalg.norm(u)]
    return tuple(size ** (1 / depth) * np.outer(frames[j + 1], frames[j]) for j in range(depth))


def balanced(product, hidden: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two balanced layers with this product, in random hidden directions."""
    u, s, v = np.linalg.svd(product, full_matrices=False)
    keep = s > 1e-12 * s[0]
    u, s, v = u[:, keep], np.sqrt(s[keep]), v[keep]
    frame = np.linalg.qr(np.random.default_rng(seed).normal(size=(hidden, len(s))))[0]
    return (frame * s) @ v, (u * s) @ frame.T


def distances(x, y, solution, width, kappa, starts, seed=0, rate=1e-7):
    """|W - W*|_F at the end of the flow of (1/2)|Y - X W'|^2 for independent starts of deviation kappa/sqrt(width)."""
    rng = np.random.default_rng(seed)
    inputs, outputs = x.shape[1], y.shape[1]
    stacked = rng.standard_normal((starts, inputs + outputs, width)) * kappa / np.sqrt(width)
    if width > inputs + outputs:
        # the Gram matrix is all that counts
        stacked = np.swapaxes(np.linalg.qr(np.swapaxes(stacked, 1, 2), mode="r"), 1, 2)
    covariance, correlation = x.T @ x, y.T @ x
    top = np.linalg.norm(covariance, 2) * (4 * kappa**2 + 4 * np.linalg.norm(solution, 2) + 2)
    step = 0.5 / top

    def field(state):
        first, second = state[:, :inputs], state[:, inputs:]
        missed = correlation - (second @ np.swapaxes(first, 1, 2)) @ covariance
        return np.concatenate([np.swapaxes(missed, 1, 2) @ second, missed @ first], axis=1)

    for _ in range(20_000):
        k1 = field(stacked)
        k2 = field(stacked + 0.5 * step * k1)
        k3 = field(stacked + 0.5 * step * k2)
        stacked = stacked + step / 6 * (k1 + 2 * k2 + 2 * k3 + field(stacked + step * k3))
        if np.max(np.abs(k1)) < rate:
            break
    whole = stacked[:, inputs:] @ np.swapaxes(stacked[:, :inputs], 1, 2)
    return np.linalg.norm(whole - solution, axis=(1, 2))
