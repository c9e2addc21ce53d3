"""The colours of pictures, on light and on dark paper."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Tones(NamedTuple):
    """Ink, its paler shades, the paper, the colours of theories and components, and those of verdicts."""

    ink: str
    grey: str
    pale: str
    paper: str
    grid: str
    colours: tuple[str, ...]
    verdicts: Mapping[str, str]


# as they stand on white
VERDICT_COLOURS = {
    "confirmed": "#00704f",
    "consistent": "#00704f",
    "better than promised": "#00704f",
    "inconclusive": "#8a5a00",
    "contradicted": "#b3261e",
    "outside its regime": "#5b4a8a",
}
# Okabe and Ito's colours, the darker ones first, and two of Tol's
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#6a7f00")
LIGHT = Tones("#222222", "#6b6b6b", "#e9edf0", "#ffffff", "#e6e6e6", COLOURS, VERDICT_COLOURS)
DARK = Tones(
    "#e6e9ec", "#a3abb3", "#28303a", "#14181d", "#2b323a",
    ("#4aa8e0", "#f08a3c", "#35c295", "#e39cc4", "#f0c050", "#9bd6f7", "#d778a8", "#b5c94a"),
    {
        "confirmed": "#4cc79b",
        "consistent": "#4cc79b",
        "better than promised": "#4cc79b",
        "inconclusive": "#e0b050",
        "contradicted": "#ff7b72",
        "outside its regime": "#b39df0",
    },
)  # fmt: skip


def settings_of(tones: Tones) -> dict[str, Any]:
    """Matplotlib's settings for quiet axes in these tones."""
    return {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.color": tones.ink,
        "axes.edgecolor": "#8c8c8c",
        "axes.facecolor": tones.paper,
        "axes.labelcolor": tones.ink,
        "axes.titlecolor": tones.ink,
        "axes.labelsize": 9,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.5,
        "axes.titlepad": 7,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.formatter.use_mathtext": True,
        "axes.formatter.limits": (-3, 4),
        "axes.unicode_minus": True,
        "grid.color": tones.grid,
        "grid.linewidth": 0.6,
        "xtick.color": tones.grey,
        "ytick.color": tones.grey,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "xtick.major.width": 0.8,
        "ytick.major.width": 0.8,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.solid_capstyle": "round",
        "figure.facecolor": tones.paper,
        "savefig.facecolor": tones.paper,
        "savefig.dpi": 160,
        "svg.fonttype": "path",
        "svg.hashsalt": "thalweg",
    }
