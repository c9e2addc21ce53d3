"""Where sources on ridge regression and mean squared errors differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C11",
        source="static ridge of strength λ",
        does="minimises `(1/2n) ‖y − Xᵀw‖² + (λ/2) ‖w‖²`",
        loss_factor="1",
        other="`weight_decay` = λ, at infinite time",
    ),
    Convention(
        row="C12",
        source="`sklearn.linear_model.Ridge(alpha)`",
        does="minimises `‖y − X w‖² + alpha ‖w‖²`",
        loss_factor="1/(2n)",
        other="`weight_decay` = alpha / n, at infinite time",
    ),
    Convention(
        row="C13",
        source="any loss `(1/n) ‖y − Xᵀw‖²`, penalty `λ ‖w‖²`",
        does="leaves the half out",
        loss_factor="1/2",
        clock_factor="2",
        other="`weight_decay` = λ, learning rate doubled",
    ),
)
