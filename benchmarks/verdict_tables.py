"""The tables of docs/verdicts.md, from the lines that benchmarks/verdict.py keeps."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

AGREES = ("confirmed", "consistent")
BROKEN = ("outside its regime", "better than promised")
HOPELESS = "no number of seeds"
NOTHING = "nothing could be compared"


def random_tables(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """How random comparisons of right theories ended, by theory; then each that was contradicted.

    Left out: some seed's draw or start strained an assumption beyond its edge, or no run ended well.
    """
    kept = list(rows)
    inside = [row for row in kept if not _outside(row) and NOTHING not in row["sentence"]]
    if not inside:
        return
    outside, lost = sum(map(_outside, kept)), sum(NOTHING in row["sentence"] for row in kept)
    yield f"\n{len(inside)} random comparisons; {outside} more left the regime in some seed, in {lost} no run ended\n"
    yield "| theory | compared | agree | inconclusive | of these no seeds decide | contradicted | again |"
    yield "|---|---|---|---|---|---|---|"
    names = sorted({row["case"].partition(":")[0] for row in inside})
    for name in [*names, "all"]:
        some = [row for row in inside if name in ("all", row["case"].partition(":")[0])]
        count = Counter(row["verdict"] for row in some)
        hopeless = sum(row["verdict"] == "inconclusive" and HOPELESS in row["sentence"] for row in some)
        again = sum(row.get("again") == "contradicted" for row in some)
        agree = sum(count[word] for word in AGREES)
        yield (
            f"| {name} | {len(some)} | {agree} | {_share(count['inconclusive'], len(some))} | {hopeless} "
            f"| {_share(count['contradicted'], len(some))} | {again} |"
        )
    for row in inside:
        if row["verdict"] == "contradicted":
            yield f"\n- `{row['case']}`: {row['sentence']}. On fresh seeds: {row['again_sentence']}."


def _outside(row: dict[str, Any]) -> bool:
    return row["verdict"] in BROKEN or "is strained to" in row["sentence"]


def mutation_tables(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """How many wrong theories passed, by what was off; then each that did, and what nobody could see."""
    kept = list(rows)
    right = [row for row in kept if "factor" not in row]
    asked = [row for row in kept if "factor" in row and row["verdict"] != "cannot be asked"]
    if not asked:
        return
    good = {row["case"] for row in right if row["verdict"] in AGREES}
    yield f"\n{len(right)} theory settings, of which {len(good)} agree as they are\n"
    yield "| error | of | asked | visible | confirmed | contradicted | inconclusive |"
    yield "|---|---|---|---|---|---|---|"
    for words, wanted in (("5 %", (0.95, 1.05)), ("10 %", (0.9, 1.1)), ("gross", (0.5, 2.0, -1.0))):
        for kind in ("clock", "scalar", "size", "event", "curves", ""):
            some = [row for row in asked if row["factor"] in wanted and kind in ("", row["kind"])]
            some = [row for row in some if _setting(row) in good]
            seen = [row for row in some if row["visible"]]
            if some:
                count = Counter(row["verdict"] for row in seen)
                shares = (_share(count[word], len(seen)) for word in ("confirmed", "contradicted", "inconclusive"))
                yield f"| {words} | {kind or 'all'} | {len(some)} | {len(seen)} | {' | '.join(shares)} |"
    yield "\nVisible and confirmed:\n"
    yield from (f"- `{r['case']}` ({r['by']} moves by {r['moves']:.2%}): {r['sentence']}." for r in asked if _passed(r))
    yield "\nNot to be seen (the number that moves most beyond its allowance):\n"
    yield "| case | number | moves by | allowance | verdict |"
    yield "|---|---|---|---|---|"
    for row in (row for row in asked if not row["visible"]):
        by = row["by"] or "none"
        yield f"| {row['case']} | {by} | {row['moves']:.2%} | {row['allowance']:.2%} | {row['verdict']} |"


def _passed(row: dict[str, Any]) -> bool:
    return row["visible"] and row["verdict"] == "confirmed"


def _setting(row: dict[str, Any]) -> str:
    return ":".join(row["case"].split(":")[:2])


def _share(count: int, whole: int) -> str:
    return f"{count} ({count / whole:.1%})" if whole else "0"
