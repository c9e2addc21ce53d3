"""Least squares by gradient descent from zero weights, stopped where rows left out are predicted best."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .left_out import TIMES, flow_path, lowest, rows_of
from .told_advice import stop_advice


class _Stopped(BaseEstimator):
    """What both share: the flow on standardised columns, in closed form, and its stopping time."""

    def __init__(self, flow_time: Any = None) -> None:
        self.flow_time = flow_time

    def _descend(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (p, K) and intercepts (K,) for targets (n, K); sets `flow_time_` and `advice_`."""
        if self.flow_time is not None and not self.flow_time >= 0:
            raise ValueError(
                f"flow_time = {self.flow_time} is not allowed; give a number >= 0, or None to have it chosen."
            )
        found = rows_of(inputs, targets)
        errors = flow_path(found)
        losses = np.mean(np.sum(errors**2, axis=2), axis=1)
        if self.flow_time is not None:
            self.flow_time_ = float(self.flow_time)
        else:
            self.flow_time_ = np.inf if np.argmin(losses) == len(TIMES) - 1 else lowest(TIMES, losses)
        values = found.values
        gain = -np.expm1(-self.flow_time_ * values) / values
        self.advice_ = stop_advice(type(self).__name__, found, self.flow_time_, errors)
        return found.weights(gain)


class StoppedRegressor(RegressorMixin, _Stopped):
    """Gradient flow on half the mean square from zero weights, stopped at `flow_time`; columns are standardised.

    w(t) = (1 - exp(-t S))/S X'y/n, S = X'X/n of columns of deviation 1, the intercept at the mean throughout: steps x
    learning rate = t makes the same with small steps. `flow_time=None` takes the time of the least mean error over rows
    left out, by exact leave-one-out along the path (infinite where it still falls at 1000: least squares). Fitted:
    `flow_time_`, `coef_` (on the columns as given), `intercept_`, `advice_`.
    Errors: ValueError for fewer than two rows, entries that are not finite numbers, flow_time < 0.
    Source: Patil et al. 2024.
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Choose the time and fit to all rows."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        weights, intercept = self._descend(X, np.asarray(y, dtype=np.float64)[:, None])
        self.coef_, self.intercept_ = weights[:, 0], float(intercept[0])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Outputs (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return X @ self.coef_ + self.intercept_


class StoppedClassifier(ClassifierMixin, _Stopped):
    """As StoppedRegressor, on one target a class (1 for the own, else 0; two classes: -1 and +1); the largest wins.

    Fitted: `classes_`, `flow_time_`, `coef_` (K or 1, p), `intercept_`, `advice_`.
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Choose the time and fit to all rows."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__}: y holds one class, {self.classes_[0]!r}; give two at least.")
        targets = (2.0 * numbers - 1)[:, None] if len(self.classes_) == 2 else np.eye(len(self.classes_))[numbers]
        weights, self.intercept_ = self._descend(X, targets)
        self.coef_ = weights.T
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Outputs: (n,) for two classes, (n, K) for more."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        outputs = X @ self.coef_.T + self.intercept_
        return outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest output."""
        outputs = self.decision_function(X)
        return self.classes_[(outputs > 0).astype(int) if outputs.ndim == 1 else np.argmax(outputs, axis=1)]
