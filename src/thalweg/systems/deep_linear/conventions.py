"""Where sources on deep linear networks differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C33",
        source="Saxe 2014, Braun 2022, Arora 2019",
        does="whitened `(1/2) ‖W − Z‖²`",
        loss_factor="1",
        other="the population form of the loss for white inputs; times and learning rates as they are",
        keys=(
            "Saxe2014",
            "Braun2022",
            "Arora2019",
        ),
    ),
    Convention(
        row="C34",
        source="Min et al. 2021, Radhakrishnan 2020",
        does="descends `(1/2) ‖Y − XUVᵀ‖²`, a sum over n samples",
        loss_factor="1/n",
        clock_factor="n",
        other="flow time = n t, `learning_rate` = n η; their X/√n, Y/√n give thalweg's rates; U = W₁ᵀ, V = W₂",
        keys=(
            "Min2021",
            "Radhakrishnan2020",
        ),
    ),
    Convention(
        row="C35",
        source="Chen, Jiang & Wang 2025",
        does="descends `‖W − Y‖² + Σ λ_l ‖W_l‖²`, no half",
        loss_factor="1/2",
        clock_factor="2",
        other="`weight_decay` = λ_l, `learning_rate` = 2 η for the same steps; `objective` is half of theirs",
        keys=("ChenJiangWang2025",),
    ),
)
