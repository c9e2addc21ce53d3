"""What an estimator that was fitted as advised has to say about its choice."""

import math

import numpy as np

from ..words.recommendations import Advice, Recommendation
from .left_out import FLOW_END, STRENGTHS, TIMES, Rows, flow_path, ridge_path

SOURCE = "leave-one-out: Allen 1974; along the path, Patil et al. 2024"


def stop_advice(subject: str, found: Rows, time: float, errors: np.ndarray) -> Advice:
    """About a flow stopped at `time`; errors (times, n, K) on rows left out."""
    losses = 0.5 * np.mean(np.sum(errors**2, axis=2), axis=1)
    at = int(np.argmin(losses))
    ridge = 0.5 * np.mean(np.sum(ridge_path(found) ** 2, axis=2), axis=1)
    best = int(np.argmin(ridge))
    if math.isinf(time):
        why = f"The loss still falls at flow time {FLOW_END:g}: descent is followed to its end, least squares."
    elif time == 0:
        why = "No step is better than none: on rows left out the mean of the targets alone does best."
    else:
        why = (
            f"Steps x learning rate on columns of deviation 1, where the loss on rows left out is least; at flow time "
            f"{FLOW_END:g} it is {losses[-1] / losses[at] - 1:.1%} higher."
        )
    return Advice(
        subject,
        (
            Recommendation("stopping_time", time, why, unit="flow time", source=SOURCE),
            _loss(losses[at], losses[0], found),
            Recommendation(
                "ridge",
                float(STRENGTHS[best]),
                f"The best ridge instead has a loss of {ridge[best]:.4g}: {ridge[best] / losses[at] - 1:+.1%}.",
                source=SOURCE,
            ),
        ),
    )


def ridge_advice(subject: str, found: Rows, alpha: float, errors: np.ndarray) -> Advice:
    """About ridge of strength `alpha` (of n rows); errors (strengths, n, K) on rows left out."""
    losses = 0.5 * np.mean(np.sum(errors**2, axis=2), axis=1)
    at = int(np.argmin(losses))
    flow = 0.5 * np.mean(np.sum(flow_path(found) ** 2, axis=2), axis=1)
    why = f"alpha = {found.count} rows x this; without ridge the loss is {losses[0] / losses[at] - 1:.1%} higher."
    instead = (
        f"Stopping descent there instead has a loss of {flow.min():.4g}: {flow.min() / losses[at] - 1:+.1%}."
        if np.isfinite(flow).all()
        else "The path could not be followed."
    )
    return Advice(
        subject,
        (
            Recommendation("ridge", alpha / found.count, why, source=SOURCE),
            _loss(losses[at], losses[-1], found),
            Recommendation(
                "stopping_time", float(TIMES[int(np.argmin(flow))]), instead, unit="flow time", source=SOURCE
            ),
        ),
    )


def _loss(least: float, alone: float, found: Rows) -> Recommendation:
    why = (
        f"Half the mean squared error of {found.count} rows, each predicted from the others; the mean alone has "
        f"{alone:.4g}."
    )
    return Recommendation("test_loss", float(least), why, source=SOURCE)
