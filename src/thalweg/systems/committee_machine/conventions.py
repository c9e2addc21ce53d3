"""Where sources on on-line learning differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C24",
        source="Saad & Solla 1995",
        does="weights `J = w/√N`, `J ← J − (η/N) g′(J·x) Δ x`, clock steps/N",
        other="`hidden` = √N J; `learning_rate` = η and `times` as they are",
        keys=("SaadSolla1995",),
    ),
    Convention(
        row="C25",
        source="Goldt et al. 2019",
        does="decay `w ← w − (κ/N) w` beside the step",
        other="`weight_decay` = κ / `learning_rate`",
        keys=("Goldt2019",),
    ),
)
