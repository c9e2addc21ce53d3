"""Where sources on classifiers of a Gaussian mixture differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C1",
        source="Couillet & Liao 2022, section 5.2",
        does="descends `(1/2n) ‖y − Xᵀw‖²`",
        loss_factor="1",
        other="their `X` is (p, n), thalweg's `inputs` (n, p)",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C2",
        source="Couillet & Liao 2022",
        does="mean squared error per sample, without the half",
        loss_factor="1/2",
        other="mean squared error = 2 `test_loss`, or 2 `train_loss`",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C3",
        source="Couillet & Liao 2022",
        does="`dw/dt = −α ∇L`, curves against `t`, with α = 0.01 or 0.1",
        clock_factor="α",
        other="flow time `α t`; as descent: `learning_rate` = α, `times` = `t`",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C4",
        source="Couillet & Liao 2022",
        does="entries of the start have the variance `σ²/p`",
        other="`init_variance` = σ²",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C5",
        source="Couillet & Liao 2022",
        does="one start `w_0` for all data sets",
        other="a new start for each seed; `start=` fixes one, as theirs",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C6",
        source="Couillet & Liao 2022",
        does="adds the penalty `(γ/2) ‖w‖²`",
        other="`weight_decay` = γ, and no loss contains it",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C7",
        source="Couillet & Liao 2022",
        does="gives the mean as a vector `μ`",
        other="`mean_norm` = `‖μ‖`; the direction matters only to a fixed start",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C8",
        source="Couillet & Liao 2022",
        does="plots error rates",
        other="`test_accuracy` = 1 − error",
        keys=("CouilletLiao2022",),
    ),
    Convention(
        row="C9",
        source="Liao & Couillet 2018 [recalled]",
        does="descends `(1/2n) ‖y − Xᵀw‖²` by `dw/dt = −α ∇L`",
        loss_factor="1",
        clock_factor="α",
        other="as C1 and C3",
        keys=("LiaoCouillet2018",),
    ),
    Convention(
        row="C10",
        source="Liao & Couillet 2018 [recalled]",
        does="entries of the start have the variance `σ²/p`",
        other="`init_variance` = σ²",
        keys=("LiaoCouillet2018",),
    ),
)
