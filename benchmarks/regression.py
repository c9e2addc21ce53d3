"""Linear regression: one curve for 1024 uneven features, against its measurement and against the same without a loop.

Run: python benchmarks/regression.py
"""

import numpy as np
from timing import paired, show

import thalweg as tw

P, N = 1024, 1536
TIMES = np.linspace(0.0, 10.0, 201)
UNEVEN = tw.LinearRegression(P, N, noise=0.5, init_variance=0.1, spectrum=np.linspace(0.1, 2.0, P))
SAMPLED = tw.LinearRegression(200, 400, noise=0.5, rule=tw.SGD(learning_rate=0.8 / 200))


def one_run() -> tuple[float, float]:
    """Test loss at the last time of one data set: an eigendecomposition in NumPy."""
    rng = np.random.default_rng(0)
    spectrum, beta = np.asarray(UNEVEN.spectrum), np.full(P, P**-0.5)
    x = rng.normal(size=(N, P)) * np.sqrt(spectrum)
    y = x @ beta + 0.5 * rng.normal(size=N)
    values, vectors = np.linalg.eigh(x.T @ x / N)
    decay = np.exp(-TIMES[:, None] * values)
    start, drive = vectors.T @ (rng.normal(size=P) * (0.1 / P) ** 0.5), vectors.T @ (x.T @ y / N)
    off = (decay * start + (1 - decay) / values * drive) @ vectors.T - beta
    loss = 0.5 * (off**2 @ spectrum + 0.25)
    return float(loss[0]), float(loss[-1])


def main() -> None:
    theory = tw.DeterministicEquivalent()
    told = tw.predict(UNEVEN, TIMES, theory=theory)
    fine = tw.predict(UNEVEN, TIMES, theory=tw.DeterministicEquivalent(nodes=256))
    print(f"largest difference to 256 nodes: {float(np.abs(told.test_loss - fine.test_loss).max()):.1e}")
    print(f"test loss at the end: {float(told.test_loss[-1]):.5f}, one run {one_run()[1]:.5f}")
    ours, other, ratio = paired(lambda: tw.predict(UNEVEN, TIMES, theory=theory), one_run, 5)
    show(f"tw.predict, p = {P}, best time included, against one run's eigendecomposition", ours, other, ratio)

    times = SAMPLED.horizon()
    ours, other, ratio = paired(
        lambda: tw.predict(SAMPLED, times, theory=tw.VolterraSGD()), lambda: tw.train(SAMPLED, times, seeds=24), 5
    )
    show("Volterra equation against 24 seeds of real SGD, p = 200", ours, other, ratio)


if __name__ == "__main__":
    main()
