"""When to stop on your own data: the test curve from the training points alone, and what stopping there costs."""

import numpy as np
from sklearn.datasets import load_breast_cancer

import thalweg as tw

inputs, labels = load_breast_cancer(return_X_y=True)
problem = tw.DatasetClassifier(inputs=inputs, labels=labels, samples=100)
times = np.linspace(0.0, 50.0, 201)

told = tw.predict(problem, times, theory=tw.LeaveOneOut(), seeds=10)
seen = tw.train(problem, times, seeds=10)
for seed in told.seed.values:
    stop = float(told.best_time_loss.sel(seed=seed))
    curve = seen.test_loss.sel(seed=seed)
    reached = float(curve.interp(time=stop)) if np.isfinite(stop) else float(curve[-1])
    print(f"split {seed}: stop at t = {stop:6.2f}, test loss {reached:.4f}, best possible {float(curve.min()):.4f}")
