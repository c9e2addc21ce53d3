"""How soon the command line answers: whole processes, medians of five.

Run: python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

THALWEG = str(Path(sys.executable).with_name("thalweg"))


def seconds(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    bare = statistics.median(seconds(sys.executable, "-c", "pass") for _ in range(5))
    print(f"python alone: {bare:.2f} s")
    for words in (("--help",), ("--version",), ("list",)):
        print(f"thalweg {' '.join(words)}: {statistics.median(seconds(THALWEG, *words) for _ in range(5)):.2f} s")
    load = statistics.median(seconds(sys.executable, "-c", "import thalweg") for _ in range(5))
    print(f"import thalweg: {load:.2f} s")


if __name__ == "__main__":
    main()
