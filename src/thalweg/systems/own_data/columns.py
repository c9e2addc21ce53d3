"""Times to look at where columns are correlated, and what a table's columns look like."""

from typing import Any

import numpy as np

from ...data.columns import constant, copied, named_like_classes, span

__all__ = ["constant", "copied", "log_times", "named_like_classes", "span"]

FLOW_END = 1000.0


def log_times(problem: Any, flow_end: float = FLOW_END, points: int = 200) -> np.ndarray:
    """0 and `points` times over five decades up to a flow time, on the rule's clock; whole steps where it has them."""
    unit = problem.rule.steps_per_unit(problem)
    if unit is None:
        return np.concatenate([[0.0], np.geomspace(1e-5 * flow_end, flow_end, points)])
    per_step = float(problem.rule.flow_time(problem, np.asarray([1.0 / unit]))[0])
    last = max(2.0, flow_end / per_step) if np.isfinite(per_step) else 1000.0
    steps = np.unique(np.round(np.geomspace(1.0, min(last, 100_000.0), points)))
    return np.concatenate([[0.0], steps]) / unit
