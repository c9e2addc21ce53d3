"""Ridge regression whose strength is chosen by exact leave-one-out."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .left_out import STRENGTHS, lowest, ridge_path, rows_of
from .told_advice import ridge_advice


class AdvisedRidge(RegressorMixin, BaseEstimator):
    """Ridge regression on standardised columns, its strength by exact leave-one-out on the rows it is fitted to.

    Minimises sum (y - b - w.x)^2 + alpha |w|^2, columns of deviation 1, b without penalty: scikit-learn's `Ridge` after
    `StandardScaler`. `alpha=None` chooses among 1e-6 n to 1e6 n the least mean error over rows left out, each
    from e_i/(1 - H_ii). Fitted: `alpha_`, `coef_` (on the columns as given), `intercept_`, `advice_`.
    Errors: ValueError for fewer than two rows, entries that are not finite numbers, alpha < 0.
    Source: Allen 1974.
    """

    def __init__(self, alpha: Any = None) -> None:
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> Any:
        """Choose the strength and fit to all rows."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        if self.alpha is not None and not self.alpha >= 0:
            raise ValueError(f"alpha = {self.alpha} is not allowed; give a number >= 0, or None to have it chosen.")
        found = rows_of(X, np.asarray(y, dtype=np.float64)[:, None])
        errors = ridge_path(found)
        if self.alpha is None:
            losses = np.mean(errors[:, :, 0] ** 2, axis=1)
            self.alpha_ = float(len(X) * lowest(STRENGTHS, losses))
        else:
            self.alpha_ = float(self.alpha)
        gain = 1 / (found.values + self.alpha_ / found.count)
        weights, intercept = found.weights(gain)
        self.coef_, self.intercept_ = weights[:, 0], float(intercept[0])
        self.advice_ = ridge_advice("AdvisedRidge", found, self.alpha_, errors)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Outputs (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return X @ self.coef_ + self.intercept_
