"""For every assumption of every theory, a legal problem that breaks it."""

import optax
from contract_cases import table

import thalweg as tw

ADAM = tw.Optax(optax.adam)

BREAKING: dict[str, dict[str, tw.Problem]] = {
    "MarchenkoPastur": {
        "linear rule": tw.LinearClassifier(rule=ADAM),
        "isotropic inputs": tw.LinearClassifier(correlation=0.2),
        "stable step": tw.LinearClassifier(rule=tw.GradientDescent(learning_rate=0.8)),
    },
    "Eigenmodes": {"linear rule": tw.LinearClassifier(rule=ADAM)},
    "LeaveOneOut": {
        "linear rule": tw.DatasetClassifier(**table(), samples=20, rule=ADAM),
        "enough points": tw.DatasetClassifier(**table(), samples=8),
    },
    "MeasuredMixture": {
        "linear rule": tw.DatasetClassifier(**table(), samples=20, rule=ADAM),
        # one shape for all three: what compiles, compiles once
        "enough moment points": tw.DatasetClassifier(**table(), samples=8, moments=20),
        "Gaussian tails": tw.DatasetClassifier(**table(heavy=True), samples=8, moments=20),
        "one covariance": tw.DatasetClassifier(**table(lopsided=True), samples=8, moments=20),
    },
}
