"""Where sources on linear regression differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C26",
        source="Ali, Kolter & Tibshirani 2018",
        does="flow of `(1/2n) ‖y − Xβ‖²`; ridge minimises `(1/n) ‖y − Xβ‖² + λ ‖β‖²`",
        loss_factor="1",
        clock_factor="1",
        other="the same λ and t: `ridge_loss` at t is the test loss of their ridge at λ = 1/t",
        keys=("AliKolterTibshirani2018",),
    ),
    Convention(
        row="C27",
        source="Advani & Saxe 2017; statistics in general",
        does="quotes mean squared errors, or the excess risk `(w − β)ᵀ C (w − β)`",
        loss_factor="1/2",
        other="`test_loss` = (excess + `noise`²)/2",
        keys=("AdvaniSaxe2017",),
    ),
    Convention(
        row="C28",
        source="Paquette et al. 2021, isotropic inputs",
        does="SGD `w ← w + (Γ/p) xᵢ (yᵢ − xᵢ·w)`, time `Γ k / p`, loss half the mean square",
        loss_factor="1",
        clock_factor="Γ/p a step",
        other="`SGD(learning_rate=Γ/p)`; batches of B: `learning_rate` = Γ B/p; flow time as theirs",
        keys=("Paquette2021",),
    ),
    Convention(
        row="C29",
        source="one pass of step η",
        does="`w ← w + η x (y − x·w)`",
        loss_factor="1",
        clock_factor="η a step",
        other="`OnePassSGD(learning_rate=η p)`, clock steps / p",
    ),
)
