"""For every assumption of every theory, a legal problem that breaks it."""

import jax.numpy as jnp
import numpy as np
import optax
from contract_cases import numbers, overlapping, partly_separable, table, three_classes

import thalweg as tw
from thalweg.systems.quadratic_network.starts import FactorLaw

ADAM = tw.Optax(optax.adam)
SHUFFLED = tw.SGD(0.01, batch=3, replacement=False)
QUADRATIC = {"dimension": 8, "width": 4, "teacher_width": 2}


SAMPLED = {"dimension": 6, "samples": 80, "width": 3, "teacher_width": 2}


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

REGRESSION = {"dimension": 6, "samples": 9}
UNEVEN_INPUTS = np.linspace(0.4, 1.6, 6)
# rows that a cosine of 1e-8 alone keeps apart
HAIR = {"inputs": np.array([[1.0, 0.0], [-1.0, 1e-8], [0.0, 1.0]]), "labels": np.ones(3)}
UNSAFE = {
    "stable descent": tw.DatasetLogistic(**overlapping(), rule=ADAM),
    "sure separation": tw.DatasetLogistic(**HAIR),
}
# deep linear networks: one shape wherever one serves; a drawn target, seen by white inputs unless `samples` are given
DEEP = {"widths": (3, 5, 2), "init_scale": 0.3}
STEPS = {"gradient flow": tw.DeepLinear(**DEEP, rule=tw.GradientDescent())}
THREE = {"two layers": tw.DeepLinear(widths=(3, 5, 5, 2))}
CONVOLUTION = {"free layers": tw.DeepLinear(widths=(3, 3, 3), circulant=True)}
FADING = {"no decay": tw.DeepLinear(**DEEP, weight_decay=0.1)}
COLOURED = {"white inputs": tw.DeepLinear(**DEEP, samples=20)}
OFF_BALANCE = {"balanced start": tw.DeepLinear(**DEEP)}
OFF_AXES = {"aligned with the data": tw.DeepLinear(**DEEP)}

BREAKING: dict[str, dict[str, tw.Problem]] = {
    "IsotropicLimit": {
        "linear rule": tw.LinearRegression(**REGRESSION, rule=ADAM),
        "isotropic inputs": tw.LinearRegression(**REGRESSION, spectrum=UNEVEN_INPUTS),
        "stable step": tw.LinearRegression(**REGRESSION, rule=tw.GradientDescent(learning_rate=0.8)),
    },
    "DeterministicEquivalent": {
        "linear rule": tw.LinearRegression(**REGRESSION, rule=ADAM),
        "stable step": tw.LinearRegression(
            **REGRESSION, spectrum=UNEVEN_INPUTS, rule=tw.GradientDescent(learning_rate=0.8)
        ),
    },
    "RegressionModes": {"linear rule": tw.LinearRegression(**REGRESSION, rule=ADAM)},
    "RidgePath": {
        "gradient flow": tw.LinearRegression(**REGRESSION, rule=tw.GradientDescent(learning_rate=0.1)),
        "zero start": tw.LinearRegression(**REGRESSION, init_variance=0.1),
        "no decay": tw.LinearRegression(**REGRESSION, weight_decay=0.1),
        "even teacher": tw.LinearRegression(**REGRESSION, spectrum=UNEVEN_INPUTS, teacher=np.arange(6.0)),
    },
    "VolterraSGD": {
        "sampled steps": tw.LinearRegression(**REGRESSION),
        "with replacement": tw.LinearRegression(**REGRESSION, rule=SHUFFLED),
        "small steps": tw.LinearRegression(**REGRESSION, rule=tw.SGD(learning_rate=0.1, batch=20)),
        "stable step": tw.LinearRegression(rule=tw.SGD(learning_rate=0.0101)),
        "known covariance": tw.LinearClassifier(**REGRESSION, correlation=0.2, rule=tw.SGD()),
    },
    "OnePassRegression": {
        "fresh samples": tw.LinearRegression(**REGRESSION),
        "stable rate": tw.LinearRegression(**REGRESSION, rule=tw.OnePassSGD(2.0)),
    },
    "MarchenkoPastur": {
        "linear rule": tw.LinearClassifier(rule=ADAM),
        "isotropic inputs": tw.LinearClassifier(correlation=0.2),
        "stable step": tw.LinearClassifier(rule=tw.GradientDescent(learning_rate=0.8)),
    },
    "Eigenmodes": {"linear rule": tw.LinearClassifier(rule=ADAM)},
    "LeaveOneOut": {
        "linear rule": tw.DatasetClassifier(**table(), samples=20, rule=ADAM),
        "with replacement": tw.DatasetRegression(**numbers(), samples=21, rule=SHUFFLED),
        "calm steps": tw.DatasetRegression(**numbers(), samples=20, rule=tw.SGD(0.3)),
        "start of the bias": tw.DatasetClasses(**three_classes(), samples=20, init_variance=3.0),
        "enough points": tw.DatasetClassifier(**table(), samples=8),
    },
    "SampledModes": {
        "sampled steps": tw.DatasetRegression(**numbers(), samples=20),
        "with replacement": tw.DatasetRegression(**numbers(), samples=21, rule=SHUFFLED),
        "one output": tw.DatasetClasses(**three_classes(), samples=20, rule=tw.SGD(0.01, batch=4)),
        "stable step": tw.DatasetRegression(**numbers(), samples=20, rule=tw.SGD(0.5)),
    },
    "HeldOutRidge": {"enough points": tw.DatasetRegression(**numbers(), samples=8)},
    "MeasuredMixture": {
        "linear rule": tw.DatasetClassifier(**table(), samples=20, rule=ADAM),
        # one shape for all three: what compiles, compiles once
        "enough moment points": tw.DatasetClassifier(**table(), samples=8, moments=20),
        "Gaussian tails": tw.DatasetClassifier(**table(heavy=True), samples=8, moments=20),
        "many features": tw.DatasetClasses(**three_classes(features=4), samples=20),
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
    "NextOrderFlow": {
        "small steps": tw.QuadraticNetwork(**QUADRATIC, rule=tw.GradientDescent(learning_rate=0.1)),
        "trace term": tw.QuadraticNetwork(**QUADRATIC, centred=True),
        "orthonormal start": tw.QuadraticNetwork(**QUADRATIC, start=tw.GaussianStart()),
        "projector teacher": tw.QuadraticNetwork(**QUADRATIC, teacher=tw.GaussianStart()),
        "equal traces": tw.QuadraticNetwork(**QUADRATIC, start=tw.Orthonormal(trace=2.0)),
        "no decay": tw.QuadraticNetwork(**QUADRATIC, weight_decay=0.1),
        "widths apart": tw.QuadraticNetwork(dimension=8, width=3, teacher_width=2),
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
    "StateEvolution": {
        "no trace term": tw.QuadraticRegression(**SAMPLED, inputs=tw.VectorInputs(centred=False)),
        "weight decay": tw.QuadraticRegression(**SAMPLED, weight_decay=0.0),
        "stable steps": tw.QuadraticRegression(**SAMPLED, rule=tw.GradientDescent(learning_rate=2.0)),
        "full rank start": tw.QuadraticRegression(**SAMPLED, start=OneColumn()),
        "enough samples": tw.QuadraticRegression(**{**SAMPLED, "samples": 20}),
        # a hundred thousand steps are not enough at this rate
        "long run": tw.QuadraticRegression(**SAMPLED, rule=tw.GradientDescent(learning_rate=1e-5)),
    },
    "RecoverySamples": {
        "no trace term": tw.QuadraticRegression(**SAMPLED, inputs=tw.VectorInputs(centred=False)),
        "teacher within reach": tw.QuadraticRegression(**{**SAMPLED, "width": 1}),
        "full rank start": tw.QuadraticRegression(**SAMPLED, start=OneColumn()),
        "little noise": tw.QuadraticRegression(**SAMPLED, noise=0.5),
    },
    "StabilityEdge": {
        "rule with a known limit": tw.QuadraticNetwork(**QUADRATIC, rule=ADAM),
        "teacher within reach": tw.QuadraticNetwork(dimension=8, width=2, teacher_width=4),
        "no decay": tw.QuadraticNetwork(**QUADRATIC, weight_decay=0.1),
    },
    "RayPlusOffset": {
        "something separable": tw.DatasetLogistic(**overlapping()),
        **UNSAFE,
        "stable descent": tw.DatasetLogistic(**partly_separable(), rule=ADAM),
        # a margin of 1/1000 of the rows
        "long run": tw.DatasetLogistic(inputs=[[1.0, 0.001], [-1.0, 0.001]], labels=[1.0, 1.0]),
    },
    "FiniteOptimum": {
        "nothing separable": tw.DatasetLogistic(**partly_separable()),
        **UNSAFE,
        "long run": tw.DatasetLogistic(
            inputs=np.array([[1.0, 0.001], [-1.0, 0.001], [1.0, -0.001], [1.0, 0.003]]), labels=[1.0, 1.0, 1.0, -1.0]
        ),
    },
    "TwoLayerRiccati": {
        **STEPS,
        **THREE,
        "equal decay": tw.DeepLinear(**DEEP, weight_decay=(0.1, 0.2)),
        **COLOURED,
        "lambda-balanced start": tw.DeepLinear(**DEEP),
    },
    "GramFlow": {**STEPS, **THREE},
    "ImbalanceConservation": {
        "gentle steps": tw.DeepLinear(**DEEP, rule=tw.GradientDescent(learning_rate=3.0)),
        **CONVOLUTION,
        **FADING,
    },
    "DecoupledModes": {**STEPS, **CONVOLUTION, **FADING, **OFF_BALANCE, **OFF_AXES},
    "UnbalancedModes": {**STEPS, **THREE, **FADING, **OFF_AXES, "one unit a mode": tw.DeepLinear(**DEEP)},
    "RankOneFlow": {
        **STEPS,
        **CONVOLUTION,
        **FADING,
        **COLOURED,
        **OFF_BALANCE,
        "rank-one start": tw.DeepLinear(**DEEP, start=tw.BalancedLayers()),
    },
    "AroraCertificate": {
        **COLOURED,
        **FADING,
        "wide layers": tw.DeepLinear(widths=(3, 1, 2)),
        "positive margin": tw.DeepLinear(**DEEP),
        "certified balance": tw.DeepLinear(**DEEP),
        "certified step": tw.DeepLinear(**DEEP, start=tw.BalancedLayers(), rule=tw.GradientDescent()),
    },
    "ImbalanceRate": {**STEPS, **THREE, **FADING, "positive rate": tw.DeepLinear(widths=(3, 1, 2))},
    "MinimumNormWidth": {
        **STEPS,
        **THREE,
        **FADING,
        "Gaussian start": tw.DeepLinear(**DEEP, start=tw.BalancedLayers()),
        "wide hidden layer": tw.DeepLinear(widths=(3, 1, 2)),
    },
    "AlignmentInvariance": {
        "descent": tw.DeepLinear(**DEEP),
        "invariant alignment": tw.DeepLinear(**DEEP, rule=tw.GradientDescent()),
    },
    "RegularisedLandscape": {
        "positive decay": tw.DeepLinear(**DEEP),
        "white inputs": tw.DeepLinear(**DEEP, samples=20, weight_decay=0.1),
        "not degenerate": tw.DeepLinear(**DEEP, target=(0.1, 0.5), weight_decay=0.1),
    },
}
