"""Where sources on shallow ReLU networks differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C16",
        source="Boursier et al. 2022, public code",
        does="descends the mean square `(1/n) Σ (h − y)²` at rate lr",
        loss_factor="1/2",
        clock_factor="2 lr a step",
        other="`learning_rate` = 2 lr for the same steps",
        keys=("Boursier2022",),
    ),
    Convention(
        row="C17",
        source="Boursier et al. 2022, public code",
        does="hidden entries of deviation `λ/√m` (toy) or `λ/√(m d)`",
        other="`init_scale` is the deviation of one entry; `balance` = 1",
        keys=("Boursier2022",),
    ),
)
