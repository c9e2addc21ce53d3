"""Settings of the sources of deep linear networks; all recalled, not read, but for what is derived here."""

import numpy as np

from ...catalogue.registry import preset
from ...rules import GradientDescent
from ...words.problem import spread_times
from .problem import DeepLinear
from .starts import AlignedLayers

# items (columns) of a binary tree with their properties (rows): all, branches, leaves
TREE = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, -1, -1, -1, -1],
        [1, 1, -1, -1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, -1, -1],
        [1, -1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, -1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, -1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, -1],
    ],
    dtype=float,
) / np.sqrt(8)  # fmt: skip


class Saxe2014:
    """Hierarchical data learned mode by mode, broad distinctions first, from small aligned starts, at any depth."""

    @preset(
        "modes of a binary tree, broad distinctions first",
        source="Saxe2014",
        seeds=2,
        recalled=True,
        theories=("DecoupledModes",),
    )
    @staticmethod
    def tree(depth: int = 2) -> DeepLinear:
        """Eight items of a binary tree; layer values 0.3 (products 0.3^depth), depths 2, 3 and 10 in the source."""
        # at depth ten layer values of 0.3 would wait for 1e5 units of time
        value = 0.3 if depth < 4 else 0.8
        return DeepLinear(target=TREE, widths=(8,) * (depth + 1), start=AlignedLayers(), init_scale=value)

    @preset("three modes at depth 2", source="Saxe2014", seeds=2, recalled=True, theories=("DecoupledModes",))
    @staticmethod
    def shallow() -> DeepLinear:
        """Targets 2, 1, 1/2; two layers of values 0.1."""
        return DeepLinear(target=(2.0, 1.0, 0.5), widths=(3, 3, 3), start=AlignedLayers(), init_scale=0.1)

    @preset("three modes at depth 3", source="Saxe2014", seeds=2, recalled=True, theories=("DecoupledModes",))
    @staticmethod
    def three() -> DeepLinear:
        """Targets 2, 1, 1/2; three layers of values 0.2."""
        return DeepLinear(target=(2.0, 1.0, 0.5), widths=(3,) * 4, start=AlignedLayers(), init_scale=0.2)

    @preset("three modes at depth 10", source="Saxe2014", seeds=2, recalled=True, theories=("DecoupledModes",))
    @staticmethod
    def ten() -> DeepLinear:
        """Targets 2, 1, 1/2; ten layers of values 0.8, near the orthogonal starts of the source."""
        return DeepLinear(target=(2.0, 1.0, 0.5), widths=(3,) * 11, start=AlignedLayers(), init_scale=0.8)


class Eftekhari2020:
    """Networks of one neuron in a layer, and the saddle at zero."""

    @preset(
        "collapse to the saddle at zero, which has no curvature at depth three",
        source="Eftekhari2020",
        times=lambda problem: np.linspace(0.0, 20.0, 201),
        seeds=2,
        recalled=True,
        theories=("RankOneFlow", "DecoupledModes"),
    )
    @staticmethod
    def collapse(depth: int = 3) -> DeepLinear:
        """A start against the only mode, W(0) = -0.3 u_1 v_1': s (s_1 t)^3 tends to 1 at depth three."""
        signs = (1.0,) * (depth - 1) + (-1.0,)
        widths = (3,) + (1,) * (depth - 1) + (2,)
        return DeepLinear(target=(2.0, 0.0), widths=widths, start=AlignedLayers(signs), init_scale=0.3 ** (1 / depth))


def _near_identity(scale: float, depth: int) -> tuple[np.ndarray, ...]:
    """Balanced layers with the product Z + scale x a fixed matrix, Z = diag(1, 0.9)."""
    i, j = np.arange(2)[:, None], np.arange(2)[None, :]
    whole = np.diag([1.0, 0.9]) + scale * np.sin(4 + 3 * i + 5 * j + 0.7 * i * j)
    left, values, right = np.linalg.svd(whole)
    each = values ** (1 / depth)
    return (each[:, None] * right, *(np.diag(each) for _ in range(depth - 2)), left * each[None, :])


def _certified_steps(problem: DeepLinear) -> np.ndarray:
    return np.arange(0.0, 3001.0, 60.0)


class Arora2019:
    """A start whose convergence is certified, and one whose certificate is void; sizes of our own, not the source's."""

    @preset(
        "a certified start at its certified learning rate",
        source="Arora2019",
        times=_certified_steps,
        seeds=2,
        recalled=True,
        theories=("AroraCertificate",),
    )
    @staticmethod
    def certified(depth: int = 2) -> DeepLinear:
        """Z = diag(1, 0.9), margin 0.79; learning rate 3e-6 (depth 2), 6.9e-7 (depth 3), 1e5 times below usable."""
        rate = {2: 3.07e-6, 3: 6.9e-7}.get(depth, 1e-7)
        start = _near_identity(0.1, depth)
        return DeepLinear(
            target=(1.0, 0.9), widths=(2,) * (depth + 1), start=start, rule=GradientDescent(learning_rate=rate)
        )

    @preset(
        "a start without margin, at a usable learning rate: no certificate, and convergence all the same",
        source="Arora2019",
        times=lambda problem: spread_times(problem, 10.0),
        seeds=2,
        recalled=True,
        theories=("AroraCertificate",),
    )
    @staticmethod
    def violated(depth: int = 2) -> DeepLinear:
        """The same target from 1.2 further off (margin below 0), at a learning rate of 0.1."""
        start = _near_identity(1.2, depth)
        return DeepLinear(
            target=(1.0, 0.9), widths=(2,) * (depth + 1), start=start, rule=GradientDescent(learning_rate=0.1)
        )


class ChenJiangWang2025:
    """Weight decay as a soft threshold, and the value at which descent slows down to a power of the steps."""

    @preset(
        "two layers with decay: a soft threshold of the target's singular values",
        source="ChenJiangWang2025",
        times=lambda problem: np.linspace(0.0, 60.0, 201),
        seeds=4,
        recalled=True,
        theories=("RegularisedLandscape", "GramFlow"),
    )
    @staticmethod
    def soft_threshold(decay: float = 0.3) -> DeepLinear:
        """Targets 2, 1, 0.2 with decay 0.3 in both layers: 1.7, 0.7, 0."""
        return DeepLinear(target=(2.0, 1.0, 0.2), widths=(3, 3, 3), init_scale=0.3, weight_decay=decay)

    @preset(
        "a singular value at the threshold: no error bound, convergence like a power of the steps",
        source="ChenJiangWang2025",
        times=lambda problem: np.unique(np.round(np.geomspace(1.0, 20000.0, 100))),
        seeds=2,
        recalled=True,
        theories=("AlignmentInvariance",),
    )
    @staticmethod
    def degenerate(depth: int = 3, decay: float = 0.1) -> DeepLinear:
        """One mode at the double root: the distance to it falls like 1/steps (depth three)."""
        from .critical import degenerate_value

        edge = float(degenerate_value(depth, decay**depth))
        rule = GradientDescent(learning_rate=0.1)
        return DeepLinear(
            target=(edge,), widths=(1,) * (depth + 1), start=AlignedLayers(), init_scale=1.7, weight_decay=decay,
            rule=rule,
        )  # fmt: skip
