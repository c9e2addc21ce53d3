"""Names inside a panel: each is put where it fits, covers no other name, and least of the curves."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from .style import tones, wrapped

SIZE = 7.5
# lines of a name have at most so many characters, the narrowest last
WIDTHS = (34, 22, 14)
# a share of its length that a piece of a curve is cut into
CUT = 0.01


class Place(NamedTuple):
    """Where a name may stand, in shares of the panel, and which of its corners is there."""

    x: float
    y: float
    ha: Any
    va: Any


def put(axes: Axes, words: str, places: Sequence[Place]) -> None:
    """Write `words` at the best of the places; the earlier one of two that are alike."""
    curves, names = _curves(axes), _names(axes)
    best: tuple[float, str, Place] | None = None
    for width in WIDTHS:
        text = wrapped(words, width)
        size = _size(axes, text)
        for place in places:
            box = _box(place, size)
            cost = _cost(box, curves, names) + 0.5 * (width < WIDTHS[0])
            if best is None or cost < best[0]:
                best = cost, text, place
        if best is not None and best[0] < 1:
            break
    if best is None:
        return
    _, text, place = best
    halo = [withStroke(linewidth=2.5, foreground=tones().paper)]
    found = axes.text(
        place.x, place.y, text, ha=place.ha, va=place.va, transform=axes.transAxes, size=SIZE, color=tones().grey,
        zorder=6, path_effects=halo, gid="event",
    )  # fmt: skip
    # it stands inside: no panel shrinks for it
    found.set_in_layout(False)


def _panel(axes: Axes) -> np.ndarray:
    """About the size of a panel in pixels, before the layout is made; rather too small."""
    figure: Any = axes.get_figure()
    share = axes.get_position()
    return np.asarray([share.width, share.height]) * figure.get_size_inches() * figure.dpi


def _size(axes: Axes, text: str) -> np.ndarray:
    """Width and height of a text as shares of the panel."""
    found = axes.text(0, 0, text, size=SIZE)
    box = found.get_window_extent()
    found.remove()
    return np.asarray([box.width, box.height]) / _panel(axes)


def _box(place: Place, size: np.ndarray) -> Bbox:
    left = place.x - {"left": 0.0, "center": 0.5, "right": 1.0}[place.ha] * size[0]
    low = place.y - {"bottom": 0.0, "top": 1.0}[place.va] * size[1]
    return Bbox.from_bounds(left, low, *size)


def _names(axes: Axes) -> list[Bbox]:
    """The names that are there already."""
    found = []
    for text in axes.texts:
        if text.get_gid() == "event":
            place = Place(*text.get_position(), text.get_horizontalalignment(), text.get_verticalalignment())
            found.append(_box(place, _size(axes, text.get_text())))
    return found


def _curves(axes: Axes) -> np.ndarray:
    """Points along everything that is drawn, in shares of the panel."""
    to_panel = axes.transData + axes.transAxes.inverted()
    found = [np.zeros((0, 2))]
    for line in axes.lines:
        points = np.asarray(line.get_xydata(), dtype=float)
        if len(points) <= 2:  # lines of events
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            points = to_panel.transform(points)
        points = points[np.isfinite(points).all(axis=1)]
        if line.get_linestyle() != "None" and len(points) > 1:
            along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(points, axis=0)).sum(axis=1))])
            fine = np.linspace(0.0, along[-1], min(int(along[-1] / CUT) + 2, 2000))
            points = np.stack([np.interp(fine, along, points[:, i]) for i in range(2)], axis=1)
        found.append(points)
    return np.concatenate(found)


def _cost(box: Bbox, curves: np.ndarray, names: Sequence[Bbox]) -> float:
    """0 for a free place; a curve below the name costs 1 and more, another name or the panel's edge far more."""
    outside = max(0.0, -box.x0, box.x1 - 1, -box.y0, box.y1 - 1)
    covered = sum(box.padded(0.01).overlaps(other) for other in names)
    near = Bbox.from_extents(box.x0 - 0.01, box.y0 - 0.04, box.x1 + 0.01, box.y1 + 0.04)
    below = (curves[:, 0] > near.x0) & (curves[:, 0] < near.x1) & (curves[:, 1] > near.y0) & (curves[:, 1] < near.y1)
    return 1e3 * (outside > 1e-9) * (1 + outside) + 1e2 * covered + float(below.sum() > 0) + 0.05 * float(below.sum())
