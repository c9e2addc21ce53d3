"""Values that options are given as text: times, seeds, the grid of a sweep."""

import math
from typing import Any


def read_numbers(text: str, what: str) -> Any:
    """`start:stop:count` or numbers with commas, as an array; ValueError otherwise."""
    import numpy as np

    try:
        if ":" in text:
            start, stop, count = text.split(":")
            if not 1 <= int(count) <= 10_000_000:
                raise ValueError
            first, last = _finite([start, stop])
            return np.linspace(first, last, int(count))
        return np.asarray(_finite(text.split(",")))
    except ValueError:
        raise ValueError(
            f"{what} {text!r} cannot be read; give start:stop:count (0:10:201) or numbers: 0,1,2."
        ) from None


def _finite(words: list[str]) -> list[float]:
    """Numbers; ValueError for what is none, or not finite."""
    found = [float(word) for word in words]
    if not all(map(math.isfinite, found)):
        raise ValueError
    return found


# as many seeds as decide: of compare alone
ENOUGH = "enough"


def read_seeds(text: str | None) -> Any:
    """A number of seeds, or a list with commas; "enough" stays."""
    if text is None or text == ENOUGH:
        return text
    try:
        listed = [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"--seeds {text!r} is not allowed; give a whole number >= 1, or a list such as 0,3,7."
        ) from None
    return listed if "," in text else listed[0]


def read_grid(over: tuple[str, ...], verb: str = "sweep") -> dict[Any, Any]:
    """Fields with their values from `FIELD=A,B,..` (numbers, start:stop:count, or names of parts); tied ones from
    `FIELD+FIELD=A+B,C+D`."""
    grid: dict[Any, Any] = {}
    for text in over:
        field, sign, values = text.partition("=")
        if not sign:
            raise ValueError(f"--over {text!r} cannot be read; give FIELD=A,B,.. such as --over learning_rate=0.1,0.2.")
        fields = tuple(name.strip().replace("-", "_") for name in field.split("+"))
        before = {name for key in grid for name in (key if isinstance(key, tuple) else (key,))}
        twice = [name for name in fields if name in before]
        if twice or not all(fields):
            why = (
                f"names {twice[0]} again; give all its values at once" if twice else "names no field; give FIELD=A,B,.."
            )
            raise ValueError(f"--over {text!r} {why}.")
        if len(fields) == 1:
            grid[fields[0]] = _values(values, f"--over {field}")
        else:
            grid[fields] = [tuple(_values(",".join(row.split("+")), f"--over {field}")) for row in values.split(",")]
    if not grid:
        if verb == "sweep":
            raise ValueError("sweep needs at least one --over FIELD=A,B,..")
        raise ValueError(
            f"{verb} needs sizes: --over width=10,30,100 or --over dimension+samples=32+64,64+128,128+256."
        )
    return grid


def _values(text: str, what: str) -> list[Any]:
    """Numbers, or names where the first of them begins with a letter."""
    words = [word.strip() for word in text.split(",")]
    if words[0][:1].isalpha() and words[0] not in ("nan", "inf"):
        return words
    # whole numbers stay whole, so that sizes can be swept
    return [int(v) if float(v).is_integer() and ":" not in text else v for v in read_numbers(text, what).tolist()]
