"""For every assumption of every theory, a legal problem that breaks it."""

import jax.numpy as jnp
import numpy as np
import optax
from contract_cases import table

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
    "StabilityEdge": {
        "rule with a known limit": tw.QuadraticNetwork(**QUADRATIC, rule=ADAM),
        "teacher within reach": tw.QuadraticNetwork(dimension=8, width=2, teacher_width=4),
        "no decay": tw.QuadraticNetwork(**QUADRATIC, weight_decay=0.1),
    },
}
