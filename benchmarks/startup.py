"""How soon the command line answers, and what a first prediction costs in a process of its own, phase by phase.

Run: python benchmarks/startup.py [system ...]

CPU seconds of all threads (a busy machine changes them little), without a cache of programs on the disk. `all` is from
the start of the process to the answer; `theory` the same by the theory that was chosen, named.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

THALWEG = str(Path(sys.executable).with_name("thalweg"))
SYSTEMS = (
    "LinearClassifier", "LinearRegression", "DigitsClassifier", "WineClassifier", "DiabetesRegression",
    "DatasetLogistic:JiTelgarsky2019.plane", "OrthogonalReLU", "CommitteeMachine", "QuadraticNetwork",
    "QuadraticRegression", "DeepLinear",
)  # fmt: skip
PHASES = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lowering",
    "/jax/core/compile/backend_compile_duration": "compile",
}
COLUMNS = ("import", "trace", "lowering", "compile", "rest", "programs", "all", "theory")


def seconds(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def child(system: str, theory: str) -> None:
    """One first prediction: prints its phases as JSON."""
    time.time = time.process_time  # JAX tells when each phase began and ended: in CPU seconds
    import jax

    spans: list[tuple[float, float, str]] = []
    jax.monitoring.register_event_time_span_listener(
        lambda event, start_time, end_time, **kwargs: spans.append((start_time, end_time, PHASES.get(event, "")))
    )
    import warnings

    warnings.simplefilter("ignore")
    import thalweg as tw

    predict = tw.predict
    loaded = time.process_time()
    made: Any = tw
    for part in system.split(":")[-1].split("."):
        made = getattr(made, part)
    told = predict(made(), theory=theory or None)
    done = time.process_time()
    found = {name: _covered(spans, name) for name in PHASES.values()}
    rest = done - loaded - sum(found.values())
    programs = sum(name == "compile" for _, _, name in spans)
    chosen = told.attrs["theory"]
    print(json.dumps({"import": loaded, **found, "rest": rest, "programs": programs, "all": done, "chosen": chosen}))


def _covered(spans: list[tuple[float, float, str]], name: str) -> float:
    """Time spent in a phase, what is nested in it counted once and later phases within it not at all."""
    later = list(PHASES.values())[list(PHASES.values()).index(name) + 1 :]
    cuts = sorted({t for begin, end, phase in spans if phase for t in (begin, end)})
    total = 0.0
    for low, high in itertools.pairwise(cuts):
        inside = {phase for begin, end, phase in spans if phase and begin <= low and high <= end}
        total += (high - low) * (name in inside and not inside & set(later))
    return total


def first(system: str, theory: str = "") -> dict[str, Any]:
    """The middle of three processes."""
    env = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    runs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, __file__, "--child", system, theory], check=True, capture_output=True, text=True, env=env
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return sorted(runs, key=lambda run: run["all"])[1]


def predictions(systems: tuple[str, ...]) -> None:
    print(f"{'first prediction, CPU s':26s}" + "".join(f"{name:>10s}" for name in COLUMNS))
    totals = []
    for system in systems:
        found = first(system)
        found["theory"] = first(system, found["chosen"])["all"]
        totals.append(found["all"])
        line = "".join(f"{found[name]:10.2f}" if name != "programs" else f"{found[name]:10.0f}" for name in COLUMNS)
        print(f"{system.split(':')[0]:26s}{line}  {found['chosen']}", flush=True)
    print(f"median {statistics.median(totals):.2f} s, worst {max(totals):.2f} s")


def command_line() -> None:
    bare = statistics.median(seconds(sys.executable, "-c", "pass") for _ in range(5))
    print(f"python alone: {bare:.2f} s")
    for words in (("--help",), ("--version",), ("list",)):
        print(f"thalweg {' '.join(words)}: {statistics.median(seconds(THALWEG, *words) for _ in range(5)):.2f} s")
    load = statistics.median(seconds(sys.executable, "-c", "import thalweg") for _ in range(5))
    print(f"import thalweg: {load:.2f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:4])
    else:
        command_line()
        predictions(tuple(sys.argv[1:]) or SYSTEMS)
