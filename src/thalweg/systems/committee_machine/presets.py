"""Published settings of on-line learning; where parameters are remembered and not read, they say so."""

import numpy as np

from ...catalogue.registry import preset
from ...rules import InverseTime, OnePassNaturalGradient, OnePassSGD
from .problem import CommitteeMachine


def _until(last: float, points: int = 201):
    def times(problem: CommitteeMachine) -> np.ndarray:
        steps = np.unique(np.round(np.linspace(0, last, points) * problem.dimension))
        return steps / problem.dimension

    return times


class SaadSolla1995:
    """Plateaus and specialisation of soft committee machines."""

    @preset(
        "learning curve with a symmetric plateau, two or three units",
        source="SaadSolla1995",
        times=_until(200.0),
        seeds=10,
        recalled=True,
    )
    @staticmethod
    def plateau(units: int = 2, learning_rate: float = 1.0) -> CommitteeMachine:
        """K = M = 2 (or 3), orthonormal teacher in the limit, no noise, rate 1. Recalled."""
        return CommitteeMachine(
            dimension=500, student_units=units, teacher_units=units, rule=OnePassSGD(learning_rate=learning_rate)
        )


class Goldt2019:
    """Overparametrised students: what the number of trained layers does to the final loss."""

    @preset(
        "final loss against the number of students, first layer only",
        source="Goldt2019",
        times=_until(400.0),
        seeds=10,
        recalled=True,
    )
    @staticmethod
    def first_layer(student_units: int = 3, noise: float = 0.1) -> CommitteeMachine:
        """M = 2 teachers, K students, rate 0.2; sweep `student_units` to draw the figure. Recalled."""
        return CommitteeMachine(
            dimension=500, student_units=student_units, noise=noise, rule=OnePassSGD(learning_rate=0.2)
        )

    @preset(
        "final loss against the number of students, both layers",
        source="Goldt2019",
        times=_until(400.0),
        seeds=10,
        recalled=True,
    )
    @staticmethod
    def both_layers(student_units: int = 3, noise: float = 0.1) -> CommitteeMachine:
        """The same with output weights trained at the same rate. Recalled."""
        rule = OnePassSGD(learning_rate=0.2)
        return CommitteeMachine(dimension=500, student_units=student_units, noise=noise, output_rate=1.0, rule=rule)


class RattraySaad1999:
    """Natural gradient against gradient descent on the plateau."""

    @preset(
        "natural gradient, damped: a plateau shorter than that of gradient descent at its best rate",
        source="RattraySaad1999",
        times=_until(60.0),
        seeds=10,
        recalled=True,
    )
    @staticmethod
    def damped(learning_rate: float = 0.2, damping: float = 0.05) -> CommitteeMachine:
        """K = M = 2, no noise; damping keeps the Fisher matrix regular at a dimension of 1000. Recalled."""
        rule = OnePassNaturalGradient(learning_rate=learning_rate, damping=damping)
        return CommitteeMachine(dimension=1000, rule=rule)

    @preset(
        "natural gradient with a rate that falls like 1/t: the bound of Cramer and Rao",
        source="RattraySaad1999",
        times=_until(200.0),
        seeds=10,
        recalled=True,
    )
    @staticmethod
    def annealed(noise: float = 0.1) -> CommitteeMachine:
        """One unit, rate 1/t from t = 20 on. Recalled."""
        rule = OnePassNaturalGradient(learning_rate=0.05, schedule=InverseTime(start=20.0))
        return CommitteeMachine(dimension=500, student_units=1, teacher_units=1, noise=noise, rule=rule)
