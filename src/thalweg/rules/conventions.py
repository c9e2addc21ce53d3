"""Where sources on momentum differ from this library: rows of docs/conventions.md."""

from ..words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C14",
        source="momentum of optax and PyTorch",
        does="`v ← β v + g`, `w ← w − lr v`",
        other="the very steps of `HeavyBall`: `learning_rate` = lr, `momentum` = β",
    ),
    Convention(
        row="C15",
        source="Nesterov momentum of optax and PyTorch",
        does="stores the point where the gradient is taken",
        other="their step k is `w_k + β (w_k − w_{k−1})` of `Nesterov`",
    ),
)
