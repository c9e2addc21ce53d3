"""Cases of the card for shallow ReLU networks on orthogonal inputs."""

import numpy as np

import thalweg as tw


def start_a(width: int, points: int, scale: float, ratio: float = 1.0) -> tw.TwoLayer:
    """Start A of the card, without random numbers."""
    j, k = np.arange(width)[:, None], np.arange(points)[None, :]
    hidden = scale * np.cos(1.3 * j + 2.1 * k + 0.7 * j * k)
    sign = np.where(np.arange(width) % 2 == 0, 1, -1)
    return tw.TwoLayer(hidden=hidden, output=ratio * sign * np.linalg.norm(hidden, axis=1))


class Case:
    """A case of the card: problem, start, and times that end where the card's do."""

    def __init__(self, labels, norms, width, scale, ratio=1.0, span=2.2):
        y, xi = np.array(labels), np.array(norms)
        self.problem = tw.OrthogonalReLU(labels=y, norms=xi, width=width, init_scale=scale)
        self.start = start_a(width, y.size, scale, ratio)
        rates = [np.linalg.norm((xi * y)[side]) / y.size for side in (y > 0, y < 0) if np.any(side)]
        self.times = np.linspace(0.0, span * np.log(1 / scale) / min(rates), 101)

    def predict(self, theory, times=None):
        return tw.predict(self.problem, self.times if times is None else times, theory=theory, start=self.start)


FOUR, ONES = (1.0, 0.5, -0.6, -0.3), (1.0,) * 4
SIX = (1.0, 0.8, 0.5, -0.9, -0.6, -0.4)
CASES = {
    "N1": Case((1.0, -1.0), (5**0.5, 1.25**0.5), 16, 1e-4),
    "N3": Case((1.0, 0.5), (1.0, 1.0), 16, 1e-6),
    "U1": Case((1.0, 1.0), (1.0, 2.0), 16, 1e-6),
    "N2": Case(FOUR, ONES, 64, 1e-6),
    "N2'": Case(FOUR, ONES, 64, 1e-4),
    "N5": Case(FOUR, ONES, 64, 1e-6, ratio=2.0),
    "N4": Case(SIX, (1.0,) * 6, 6, 1e-8, span=6.5),
}
QUARTERS = ("quarter_time_positive", "quarter_time_negative")


def quarters(told) -> np.ndarray:
    return np.array([float(told[name]) for name in QUARTERS])
