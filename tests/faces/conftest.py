"""One small comparison, one sweep and their files, made once for all tests of the faces."""

import numpy as np
import pytest

import thalweg as tw

TIMES = np.linspace(0.0, 8.0, 5)


@pytest.fixture(scope="session")
def small():
    return tw.LinearClassifier(dimension=8, samples=16, rule=tw.GradientDescent(learning_rate=0.3))


@pytest.fixture(scope="session")
def compared(small):
    return tw.compare(small, TIMES, theory=[tw.MarchenkoPastur(), tw.Eigenmodes()], seeds=3)


@pytest.fixture(scope="session")
def saved(compared, tmp_path_factory):
    return tw.save(compared, tmp_path_factory.mktemp("faces") / "run.nc")
