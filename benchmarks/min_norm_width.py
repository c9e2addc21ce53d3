"""Order of the law of the distance to the minimum-norm solution: relative error of its mean against hidden width.

Two-layer networks on fixed data from Gaussian starts, followed to their limit in batches (order 4, fixed steps).
Run: python benchmarks/min_norm_width.py [starts]
"""

import sys

import numpy as np


def distances(x, y, solution, width, kappa, starts, seed=0, rate=1e-10):
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


def law(x, solution, width, kappa):
    """The predicted mean, by quadrature in plain NumPy."""
    missing = x.shape[1] - np.linalg.matrix_rank(x)
    values = np.linalg.svd(solution, compute_uv=False)
    weights = kappa**2 / width * np.sqrt(kappa**4 + values**2)
    nodes = np.linspace(-60, 60, 4001)
    logs = -0.5 * missing * np.sum(np.log1p(2 * np.exp(nodes)[:, None] * weights), axis=1)
    return np.sum(-np.expm1(logs) * np.exp(-0.5 * nodes)) * (nodes[1] - nodes[0]) / np.sqrt(4 * np.pi)


def main(starts):
    print("inputs samples outputs kappa width   error of the mean   (deviation)   error x width/(inputs + outputs)")
    for samples, inputs, outputs in ((4, 6, 2), (3, 6, 3), (6, 12, 4)):
        rng = np.random.default_rng(7)
        x, y = rng.standard_normal((samples, inputs)), rng.standard_normal((samples, outputs))
        solution = (np.linalg.pinv(x) @ y).T
        for kappa in (0.5, 1.0, 2.0):
            for width in (16, 32, 64):
                found = distances(x, y, solution, width, kappa, starts, rate=1e-7)
                told = law(x, solution, width, kappa)
                off, spread = found.mean() / told - 1, found.std() / told / np.sqrt(starts)
                sizes = f"{inputs:6d} {samples:7d} {outputs:7d} {kappa:5.1f} {width:5d}"
                print(f"{sizes} {off:12.4f} {spread:14.4f} {off * width / (inputs + outputs):14.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
