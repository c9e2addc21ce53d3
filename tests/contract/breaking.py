"""For every assumption of every theory, a legal problem that breaks it."""

import jax.numpy as jnp
import numpy as np
import optax
from contract_cases import numbers, table

import thalweg as tw
from thalweg.systems.quadratic_network.starts import FactorLaw

ADAM = tw.Optax(optax.adam)
QUADRATIC = {"dimension": 8, "width": 4, "teacher_width": 2}


class OneColumn(FactorLaw):
    """All columns equal: a start of rank one, of no law that a theory knows."""

    def draw(self, key, dimension, width):
        return jnp.ones((dimension, width)) / np.sqrt(dimension * width)

    def mean_trace(self, dimension, width):
        return 1.0


UNFIT = {"gradient flow": tw.OrthogonalReLU(rule=ADAM)}
# two inputs at a cosine of 0.2, and a start in which no unit sees all points of a sign
ASKEW = {"orthogonal inputs": tw.UserInputsReLU(inputs=[[1.0, 0.2], [0.0, 1.0]], labels=[1.0, -1.0])}
NARROW = {"full units": tw.OrthogonalReLU(width=2)}
UNBALANCED = {"balanced start": tw.OrthogonalReLU(balance=2.0)}
# the problem's own horizon reaches far beyond the early phase
LATE = {"small outputs": tw.OrthogonalReLU()}

NOISY = {"noise": 0.1, "dimension": 16}
NATURAL = tw.OnePassNaturalGradient(learning_rate=0.2)
STORED = {"fresh samples": tw.CommitteeMachine(**NOISY, rule=ADAM)}
UNEVEN = {"equal units": tw.CommitteeMachine(**NOISY, student_units=3)}
FAST = {"stable solution": tw.CommitteeMachine(**NOISY, rule=tw.OnePassSGD(learning_rate=5.0))}
# the overlaps of a random teacher with six inputs are far from the identity
CROOKED = {"orthonormal teacher": tw.CommitteeMachine(dimension=6, noise=0.1)}
SYMMETRIC = {"asymmetric start": tw.CommitteeMachine(**NOISY, init_scale=1e-3)}
DECAYING = {"no weight decay": tw.CommitteeMachine(**NOISY, weight_decay=0.5)}
LOUD = {"faint noise": tw.CommitteeMachine(dimension=16, noise=1.0)}
HARD = {"soft committee": tw.CommitteeMachine(**NOISY, activation="relu")}

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
    "HeldOutRidge": {"enough points": tw.DatasetRegression(**numbers(), samples=8)},
    "MeasuredMixture": {
        "linear rule": tw.DatasetClassifier(**table(), samples=20, rule=ADAM),
        # one shape for all three: what compiles, compiles once
        "enough moment points": tw.DatasetClassifier(**table(), samples=8, moments=20),
        "Gaussian tails": tw.DatasetClassifier(**table(heavy=True), samples=8, moments=20),
        "one covariance": tw.DatasetClassifier(**table(lopsided=True), samples=8, moments=20),
    },
    "OrderParameters": {
        **STORED,
        "known averages": tw.CommitteeMachine(**NOISY, activation="relu"),
        **SYMMETRIC,
        "regular Fisher matrix": tw.CommitteeMachine(**NOISY, rule=NATURAL),
        **FAST,
    },
    "SmallRate": {**STORED, **SYMMETRIC, "small rate": tw.CommitteeMachine(**NOISY)},
    "SymmetricPlateau": {
        **STORED,
        **UNEVEN,
        **HARD,
        "constant gradient step": tw.CommitteeMachine(**NOISY, rule=NATURAL),
        **CROOKED,
        **DECAYING,
        **LOUD,
        **FAST,
    },
    "CriticalRate": {**STORED, **UNEVEN, **CROOKED},
    "NoiseFloor": {
        **STORED,
        "enough units": tw.CommitteeMachine(dimension=16),
        **HARD,
        **CROOKED,
        **DECAYING,
        **LOUD,
        "long run": tw.CommitteeMachine(**NOISY, rule=tw.OnePassSGD(learning_rate=1e-3)),
        **FAST,
    },
    "EarlyAlignment": {**UNFIT, **ASKEW, **LATE},
    "AlignmentLaw": {**UNFIT, **ASKEW, **LATE, **UNBALANCED},
    "AlignedGroup": {
        **UNFIT,
        **ASKEW,
        **NARROW,
        # one weak point of four: units that miss it are nearly as fast as those that do not
        "weak competitors": tw.OrthogonalReLU(labels=(1.0, 0.2, 1.0, -1.0), init_scale=0.1),
    },
    "GrowthLaw": {**UNFIT, **ASKEW, **NARROW},
    "EventFlow": {**UNFIT, **ASKEW},
    "ClassFlow": {**UNFIT, **ASKEW, "small start": tw.OrthogonalReLU(init_scale=0.3)},
    "SaddleToSaddle": {**UNFIT, **ASKEW, "separate jumps": tw.OrthogonalReLU(init_scale=0.5)},
    "MinimalVariationNorm": {**UNFIT, **ASKEW, **NARROW},
    "ScaleRate": {**UNFIT, **ASKEW, **NARROW},
    "Coverage": {**UNFIT, **ASKEW, **UNBALANCED},
    "RiccatiFlow": {"gradient flow": tw.QuadraticNetwork(rule=tw.GradientDescent())},
    "HighDimensionalFlow": {
        "small steps": tw.QuadraticNetwork(**QUADRATIC, rule=tw.GradientDescent(learning_rate=0.1)),
        "trace term": tw.QuadraticNetwork(**QUADRATIC, centred=True),
        "orthonormal start": tw.QuadraticNetwork(**QUADRATIC, start=tw.GaussianStart()),
        "projector teacher": tw.QuadraticNetwork(**QUADRATIC, teacher=tw.GaussianStart()),
        "equal traces": tw.QuadraticNetwork(**QUADRATIC, start=tw.Orthonormal(trace=2.0)),
        "no decay": tw.QuadraticNetwork(**QUADRATIC, weight_decay=0.1),
    },
    "RandomStartFlow": {
        "small steps": tw.QuadraticNetwork(**QUADRATIC, rule=tw.GradientDescent(learning_rate=0.1)),
        "random start": tw.QuadraticNetwork(**QUADRATIC, start=OneColumn()),
    },
    "LongTimeLimit": {
        "stable steps": tw.QuadraticNetwork(**QUADRATIC, rule=tw.GradientDescent(learning_rate=0.3)),
        "full rank start": tw.QuadraticNetwork(**QUADRATIC, start=OneColumn()),
    },
    "LongTimeRate": {
        "stable steps": tw.QuadraticNetwork(**QUADRATIC, rule=tw.GradientDescent(learning_rate=0.3)),
        "full rank start": tw.QuadraticNetwork(**QUADRATIC, start=OneColumn()),
        "teacher within reach": tw.QuadraticNetwork(dimension=8, width=2, teacher_width=4),
        "no decay": tw.QuadraticNetwork(**QUADRATIC, weight_decay=0.1),
    },
    "OnePassQuadratic": {
        "fresh samples": tw.QuadraticNetwork(**QUADRATIC),
        "few units": tw.QuadraticNetwork(dimension=8, width=6, rule=tw.OnePassSGD()),
    },
    "StabilityEdge": {
        "rule with a known limit": tw.QuadraticNetwork(**QUADRATIC, rule=ADAM),
        "teacher within reach": tw.QuadraticNetwork(dimension=8, width=2, teacher_width=4),
        "no decay": tw.QuadraticNetwork(**QUADRATIC, weight_decay=0.1),
    },
}
