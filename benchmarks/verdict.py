"""What a verdict is worth: random comparisons of right theories, and theories that are wrong on purpose.

    python benchmarks/verdict.py random --seeds 0 34          # 34 random problems for every theory that claims values
    python benchmarks/verdict.py mutations                    # every theory with one number off, by 5 and 10 % and by 2
    python benchmarks/verdict.py random --case Eigenmodes:17  # one of them again, with the code that shows it
    python benchmarks/verdict.py tables --write docs/verdicts.md

Results are lines of JSON in out/verdict (--out); what is there is not done again, so that a run may be cut off at any
time (--minutes ends it by itself). Every line names its case; what went wrong is printed with code that shows it.
"""

import argparse
import contextlib
import json
import resource
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from mutants import Change, gross_changes, mutant, small_changes
from verdict_tables import mutation_tables, random_tables
from visible import most_moved

import thalweg as tw
from thalweg.catalogue import registry
from thalweg.computing import parallel
from thalweg.running import training
from thalweg.testing.random_problems import Case, bases, claims_values, random_case, short_times
from thalweg.words.theory import Theory

# seeds that no comparison has used
FRESH = 1_000_000
# compiled programs are let go beyond so many GB
MOST_MEMORY = 5.0


def theories() -> dict[str, type[Theory]]:
    """Those that claim values, by name."""
    return {n: k for n, k in sorted(registry.everything(Theory).items()) if claims_values(k)}


def say(row: dict[str, Any], code: str) -> None:
    print(f"{row['case']}: {row['sentence']}\n    {code}", flush=True)


def shown(case: Case) -> str:
    """A command that makes a comparison again."""
    return f"tw.compare({case.problem!s}, times, theory=tw.{type(case.theory).__name__}())".replace("\n", " ")


class Kept:
    """Lines of JSON, one a case; what is there is not done again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = {row["case"]: row for row in map(json.loads, lines)}

    def add(self, row: dict[str, Any]) -> None:
        self.rows[row["case"]] = row
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def told(tree: Any) -> dict[str, Any]:
    """What a line says of a comparison."""
    return {
        "verdict": tree.attrs["verdict"],
        "sentence": tree.attrs["sentence"],
        "seeds": tree["training"].sizes["seed"],
    }


def random_one(name: str, kind: type[Theory], seed: int) -> dict[str, Any]:
    """One random comparison; where it is contradicted, the same again on seeds that it has not seen."""
    case = random_case(kind, seed)
    begin = time.perf_counter()
    tree = tw.compare(case.problem, case.times, theory=case.theory)
    row = {"case": f"{name}:{seed}", **told(tree), "seconds": round(time.perf_counter() - begin, 1)}
    if row["verdict"] == "contradicted":
        seeds = range(FRESH, FRESH + max(row["seeds"], 96))
        again = tw.compare(case.problem, case.times, theory=case.theory, seeds=seeds)
        row |= {"again": again.attrs["verdict"], "again_sentence": again.attrs["sentence"]}
    return row


def random_all(kept: Kept, wanted: dict[str, type[Theory]], seeds: range, ends: float) -> None:
    """Every theory in turn, some seeds of each, so that what is cut off is about all."""
    rounds = [range(first, min(first + 6, seeds.stop)) for first in range(seeds.start, seeds.stop, 6)]
    for some, (name, kind) in ((some, one) for some in rounds for one in wanted.items()):
        for seed in some:
            if f"{name}:{seed}" in kept.rows or not bases(kind):
                continue
            if time.monotonic() > ends:
                return
            row = random_one(name, kind, seed)
            kept.add(row)
            if row["verdict"] not in ("confirmed", "consistent"):
                say(row, f"python benchmarks/verdict.py random --case {name}:{seed}")
        let_go()


def let_go() -> None:
    """Compiled programs fill the memory; they are on the disk, where there is a cache."""
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MOST_MEMORY * 1024**2:
        jax.clear_caches()
        parallel._COMPILED.clear()


@contextlib.contextmanager
def trained_once() -> Iterator[None]:
    """All mutants of a theory are compared with the same runs: these are made once."""
    runs, own = {}, training.run

    def run(request: Any, progress: Any = None, keep_final: bool = False) -> Any:
        key = (str(jax.tree.leaves(request.problem)), str(request.problem), request.seeds, request.ticks.tobytes())
        if key not in runs:
            runs[key] = own(request, progress, keep_final)
        return runs[key]

    training.run = run
    try:
        yield
    finally:
        training.run = own


def setting(kind: type[Theory], index: int) -> Case:
    """A theory at one of its bases."""
    base = bases(kind)[index]
    return Case(kind(), base.problem, short_times(base.problem, base.part))


def mutation(case: Case, right: Any, change: Change) -> dict[str, Any]:
    """What is said of a theory with one thing off, and whether that shows at all."""
    try:
        wrong = mutant(case.theory, case.problem, change)
        tree = tw.compare(case.problem, case.times, theory=wrong)
    except (ValueError, TypeError) as refused:
        return {"verdict": "cannot be asked", "sentence": f"{refused!s:.200}"}
    return {**told(tree), **most_moved(case, right, tree)}


def mutations_of(kept: Kept, name: str, case: Case, ends: float) -> None:
    """All changes of one theory at one setting; the theory as it is comes first."""
    with trained_once():
        right = tw.compare(case.problem, case.times, theory=case.theory)
        if name not in kept.rows:
            kept.add({"case": name, **told(right), "problem": str(case.problem).replace("\n", " ")})
            print(f"{name}: {right.attrs['sentence']}", flush=True)
        spoken = list(map(str, right["theory"].data_vars))
        small = small_changes(case.problem, case.theory, spoken)
        for gross, changes in ((False, small), (True, gross_changes(case.problem, case.theory, spoken))):
            for change in changes:
                label = f"{name}:{change}"
                if label in kept.rows:
                    continue
                if time.monotonic() > ends:
                    return
                row = {"case": label, **change._asdict(), "gross": gross, **mutation(case, right, change)}
                kept.add(row)
                if row["verdict"] == "confirmed" and row["visible"]:
                    say(row, f"python benchmarks/verdict.py mutations --case '{label}'")


def mutations_all(kept: Kept, wanted: dict[str, type[Theory]], count: int, ends: float) -> None:
    """The first bases of every theory; the next ones where time is left."""
    for index in range(count):
        for name, kind in wanted.items():
            if time.monotonic() > ends:
                return
            if index < len(bases(kind)):
                mutations_of(kept, f"{name}:{index}", setting(kind, index), ends)
                let_go()


def again(verb: str, label: str) -> None:
    """One case, with its problem and the whole budget."""
    name, index, *rest = label.split(":")
    kind = theories()[name]
    case = random_case(kind, int(index)) if verb == "random" else setting(kind, int(index))
    print(case.problem, f"times = np.linspace(0, {case.times[-1]!r}, {case.times.size})", sep="\n")
    theory = case.theory
    if rest:
        spoken = list(map(str, tw.predict(case.problem, case.times, theory=theory).data_vars))
        both = (small_changes, gross_changes)
        changes = [one for made in both for one in made(case.problem, theory, spoken)]
        theory = mutant(theory, case.problem, next(one for one in changes if str(one) == rest[0]))
    tree = tw.compare(case.problem, case.times, theory=theory)
    print(tree.attrs["sentence"], *json.loads(tree.attrs["remarks"]), sep="\n")
    print(tree["budget"].to_dataset().to_dataframe().drop(columns=["variable", "measure", "claim"]).to_string())


def write(page: Path, **tables: Iterator[str]) -> None:
    """Put tables between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    for name, lines in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, _, rest = text.partition(begin)
        told = "\n".join(lines).strip()
        text = f"{head}{begin}\n{told or 'Not measured yet.'}\n{end}{rest.partition(end)[2]}"
    page.write_text(text, encoding="utf-8")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("verb", choices=("random", "mutations", "tables"), nargs="?", default="tables")
    asked.add_argument("--seeds", type=int, nargs=2, default=(0, 34), help="random problems of each theory: from, to")
    asked.add_argument("--bases", type=int, default=1, help="settings of each theory that are mutated")
    asked.add_argument("--theory", action="append", help="only these theories")
    asked.add_argument("--case", help="one case again, with its budget")
    asked.add_argument("--write", type=Path, help="a page, such as docs/verdicts.md, that tables are written into")
    asked.add_argument("--minutes", type=float, default=np.inf)
    asked.add_argument("--out", type=Path, default=Path("out/verdict"))
    given = asked.parse_args()
    warnings.simplefilter("ignore", tw.TheoryWarning)
    wanted = {n: k for n, k in theories().items() if given.theory is None or n in given.theory}
    ends = time.monotonic() + 60 * given.minutes
    random, mutated = (Kept(given.out / f"{verb}.jsonl") for verb in ("random", "mutations"))
    if given.case:
        again(given.verb, given.case)
    elif given.verb == "random":
        random_all(random, wanted, range(*given.seeds), ends)
    elif given.verb == "mutations":
        mutations_all(mutated, wanted, given.bases, ends)
    elif given.write:
        write(given.write, random=random_tables(random.rows.values()), mutations=mutation_tables(mutated.rows.values()))
    if not given.case:
        print(*random_tables(random.rows.values()), *mutation_tables(mutated.rows.values()), sep="\n")


if __name__ == "__main__":
    main()
