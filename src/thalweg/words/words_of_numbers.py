"""Numbers beside each other in words."""


def higher(value: float, other: float) -> str:
    """`12.3% above`, `4.0% below`, `4.9 times` as much."""
    ratio = value / other if other > 0 else float("inf")
    if ratio >= 3:
        return f"{ratio:.3g} times"
    return f"{ratio - 1:.1%} above" if ratio >= 1 else f"{1 - ratio:.1%} below"
