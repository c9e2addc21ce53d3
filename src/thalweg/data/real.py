"""Real data sets that come with scikit-learn, ready as two classes."""

from collections.abc import Sequence

import numpy as np

Groups = str | Sequence[int] | Sequence[Sequence[int]]


def digit_groups(groups: Groups) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two disjoint groups of digits from ((0, 2), (1, 3)), (3, 8), "3,8", "02468,13579" or "even,odd".

    ValueError for anything else.
    """
    named = {"even": "02468", "odd": "13579"}
    parts = groups.split(",") if isinstance(groups, str) else groups
    try:
        found = [
            tuple(
                int(d)
                for d in (named.get(part.strip(), part.strip()) if isinstance(part, str) else np.atleast_1d(part))
            )
            for part in parts
        ]
    except (TypeError, ValueError):
        found = []
    legal = len(found) == 2 and all(part and set(part) <= set(range(10)) for part in found)
    if not legal or set(found[0]) & set(found[1]):
        raise ValueError(
            f"groups = {groups!r} is not allowed; give two different digits (3, 8), or two disjoint groups."
        )
    return found[0], found[1]


def digits(groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """The 8 x 8 digits of scikit-learn, pixels in [0, 1], of two groups: inputs (N, 64) and labels -1, +1 (N,)."""
    from sklearn.datasets import load_digits

    first, second = digit_groups(groups)
    bunch = load_digits()
    pixels, target = np.asarray(bunch.data), np.asarray(bunch.target)  # pyright: ignore[reportAttributeAccessIssue]
    chosen = np.isin(target, [*first, *second])
    return pixels[chosen] / 16.0, np.where(np.isin(target[chosen], second), 1.0, -1.0)
