"""Where sources on quadratic networks differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C18",
        source="Martin, Bach & Biroli 2023",
        does="risk `R = (1/4) E (f − y)²`",
        loss_factor="2",
        other="`test_loss` = 2R, without label noise",
        keys=("MartinBachBiroli2023",),
    ),
    Convention(
        row="C19",
        source="Martin, Bach & Biroli 2023",
        does="flow `dW/dt = −∇R`",
        clock_factor="1/2",
        other="flow time = t/2; exponential rates double; `(flow time)² L` = (1/2) `t² R`",
        keys=("MartinBachBiroli2023",),
    ),
    Convention(
        row="C20",
        source="Martin, Bach & Biroli 2023",
        does="descends R with step η",
        clock_factor="1/2",
        other="`learning_rate` = η/2, the same steps",
        keys=("MartinBachBiroli2023",),
    ),
    Convention(
        row="C21",
        source="Martin, Bach & Biroli 2023",
        does="`φ = ∫ tr D dt` over its time",
        clock_factor="1/2",
        other="`trace_integral` = φ/2, the integral over flow time",
        keys=("MartinBachBiroli2023",),
    ),
    Convention(
        row="C22",
        source="Martin, Bach & Biroli 2023",
        does="penalty `(ρ/2) ‖W‖²` beside R, label noise of variance Δ",
        loss_factor="2",
        other="`weight_decay` = 2ρ, `noise` = √Δ",
        keys=("MartinBachBiroli2023",),
    ),
    Convention(
        row="C23",
        source="one pass, step η_R on (1/4)(f − y)² of one sample, ν = η_R d",
        does="source time = η_R steps",
        other=(
            "`OnePassSGD(learning_rate)` steps by learning_rate/d: ν = 2 `learning_rate`, source time = 2 flow time"
        ),
        keys=("MartinBachBiroli2023",),
    ),
    Convention(
        row="C30",
        source="Martin, Biroli & Bach 2026",
        does="`(1/4n) Σ (tr(X Z_s) − y)² + (λ/d) ‖W_s‖²`, X in GOE(d), teachers of trace d",
        loss_factor="2",
        clock_factor="√d/2",
        other="`Z = Z_s/√d`, `MatrixInputs` √d X, `weight_decay` = 4λ/√d, `noise` = √Δ; their MSE = `test_loss`",
        keys=("MartinBiroliBach2026",),
    ),
)
