"""The first lines: predict, train, compare, save, report, run again."""

import numpy as np

import thalweg as tw

problem = tw.LinearClassifier(dimension=256, samples=512, mean_norm=1.0, init_variance=0.1, rule=tw.GradientFlow())
times = np.linspace(0.0, 10.0, 201)
told = tw.predict(problem, times, theory=tw.MarchenkoPastur())  # dims: time
seen = tw.train(problem, times, seeds=24)  # dims: seed, time
result = tw.compare(problem, times, theory=tw.MarchenkoPastur(), seeds=24)
print(result.attrs["sentence"])
assert result.attrs["verdict"] == "confirmed"

tw.save(result, "run.nc")
tw.report(tw.load("run.nc"), "run.html")
again = tw.rerun("run.nc")
assert again.attrs["sentence"] == result.attrs["sentence"]

descent = tw.LinearClassifier(
    dimension=256, samples=512, mean_norm=1.0, init_variance=0.1, rule=tw.GradientDescent(learning_rate=0.3)
)
print(tw.predict(descent, np.arange(0, 101), theory=tw.MarchenkoPastur()).test_accuracy)
print(tw.theories(problem))
