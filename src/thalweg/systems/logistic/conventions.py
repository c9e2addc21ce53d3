"""Where sources on logistic regression differ from this library: rows of docs/conventions.md."""

from ...words.conversion import Convention

CONVENTIONS = (
    Convention(
        row="C31",
        source="Ji & Telgarsky 2019",
        does="descends `(1/n) Σ ln(1 + exp(z·w))`, `z = −y x`, with step η, clock t",
        loss_factor="1",
        clock_factor="η",
        other="`DatasetLogistic` as it is; `ln t` = ln(flow time) − ln η, which moves `log_offset` along the ray",
        keys=("JiTelgarsky2019",),
    ),
    Convention(
        row="C32",
        source="logistic regression of scikit-learn (C = ∞) and statsmodels",
        does="minimises the sum over rows, not the mean; scikit-learn adds an intercept unless told",
        loss_factor="1/n",
        other="the same minimiser: `offset` where nothing is separable",
    ),
)
