"""What the limit of many inputs leaves out of the mean over seeds: gap times dimension, for the constants in `sizes`.

Starts of given overlaps with O(1) asymmetry; three settings, two dimensions. A gap of order 1/N gives the same numbers
twice. Also the spread of exit times, which falls like 1/sqrt(N).
Run: python benchmarks/committee_size.py [seeds] [setting]
"""

import sys

import numpy as np

import thalweg as tw

NAMES = ("test_loss", "student_overlap", "teacher_overlap", "output_weights")


def settings(dimension: int) -> dict[str, tuple[tw.CommitteeMachine, tw.Overlaps]]:
    two, ones = np.eye(2), np.ones(2)
    plain = tw.Overlaps([[0.3, 0.02], [0.02, 0.25]], [[0.3, 0.1], [0.1, 0.3]], two, ones, ones)
    wide = tw.Overlaps(np.diag([0.3, 0.25, 0.2]), [[0.3, 0.1], [0.1, 0.3], [0, 0.2]], two, [1, 1, -0.5], ones)
    single = tw.Overlaps([[0.3]], [[0.3]], [[1.0]], [1.0], [1.0])
    return {
        "K=M=2": (tw.CommitteeMachine(dimension=dimension), plain),
        "K=3, both layers, noise": (
            tw.CommitteeMachine(
                dimension=dimension, student_units=3, noise=0.1, output_rate=1.0, rule=tw.OnePassSGD(0.5)
            ),
            wide,
        ),
        "K=M=1": (tw.CommitteeMachine(dimension=dimension, student_units=1, teacher_units=1), single),
    }


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    wanted = sys.argv[2:]
    times = np.arange(0.0, 31.0)
    for dimension in (128, 256, 512):
        for name, (problem, start) in settings(dimension).items():
            if wanted and name not in wanted:
                continue
            seen = tw.train(problem, times, seeds=seeds, start=start, strict=False)
            told = tw.predict(problem, times, theory=tw.OrderParameters(), start=start)
            row = []
            for curve in NAMES:
                pair = (
                    (np.log(seen[curve]), np.log(told[curve])) if curve == "test_loss" else (seen[curve], told[curve])
                )
                gap = (pair[0] - pair[1]).values
                mean, error = gap.mean(axis=0), gap.std(axis=0, ddof=1) / np.sqrt(seeds)
                worst = np.unravel_index(np.argmax(np.abs(mean)), mean.shape)
                row.append(f"{curve} {dimension * mean[worst]:+.2f} +- {dimension * error[worst]:.2f}")
            gap = seen.exit_time - told.exit_time
            row.append(
                f"exit time {dimension * float(gap.mean() / told.exit_time):+.1f} +- "
                f"{dimension * float(gap.std() / told.exit_time) / np.sqrt(seeds):.1f}, "
                f"spread {float(seen.exit_time.std()):.3f}"
            )
            print(f"N = {dimension}, {name}: N * gap of {'; '.join(row)}", flush=True)


if __name__ == "__main__":
    main()
