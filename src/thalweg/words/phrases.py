"""Small sentences shared by the faces; nothing here needs jax."""

import difflib
import re
from collections.abc import Iterable, Sequence

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "omega": "ω",
}  # fmt: skip
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


# a sentence lists this many names in full, of more the nearest ones; a name that is no word is cut
LISTED, LONGEST = 16, 60


def unknown(noun: str, given: str, known: Iterable[str], place: str = "") -> str:
    """The sentence for a name that does not exist, with the nearest one that does; of a long list the nearest ones."""
    names = list(known)
    shown = repr(given) if len(given) <= LONGEST else f"{given[:LONGEST]!r}..."
    lower = {k.lower(): k for k in names}
    near = difflib.get_close_matches(given[:LONGEST].lower(), list(lower), n=1, cutoff=0.4)
    hint = f"; did you mean {lower[near[0]]!r}?" if near else "."
    if len(names) <= LISTED:
        return f"unknown {noun} {shown}{place}{hint} Known: {', '.join(names) or 'none'}."
    kept = difflib.get_close_matches(given[:LONGEST].lower(), list(lower), n=LISTED // 2, cutoff=0.4)
    if not kept:
        return f"unknown {noun} {shown}{place}{hint} There are {len(names)}, such as {', '.join(names[: LISTED // 2])}."
    return f"unknown {noun} {shown}{place}{hint} The nearest of {len(names)}: {', '.join(lower[k] for k in kept)}."


def first_sentence(text: str) -> str:
    """The first sentence of a text, on however many lines, without its full stop; dots in a row end none."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[^\s.])\.(?=\s|$)", paragraph, maxsplit=1)[0].rstrip()


def cut(items: Sequence[str], most: int = 8, noun: str = "number") -> str:
    """Items with commas between; of more than `most` the first few and how many there are."""
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[: most - 2])}, … ({counted(len(items), noun)})"


def pretty(symbol: str) -> str:
    """A symbol as print has it: `sigma^2` becomes σ², `|mu|` becomes |μ|, `mu.w` becomes μ·w."""
    text = re.sub(r"[A-Za-z]+", lambda m: GREEK.get(m[0], m[0]), symbol)
    text = re.sub(r"\^(-?\d+)", lambda m: m[1].translate(RAISED), text)
    return re.sub(r"(?<=[^\W\d_])\.(?=[^\W\d_])", "·", text)


def plain_number(value: object) -> str:
    """A number as short as it can be said without loss that matters; other things as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def counted(number: int, noun: str) -> str:
    """`1 seed`, `24 seeds`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
