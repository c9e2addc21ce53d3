"""Linear range and sharpness of a PyTorch module: the functions of `thalweg.diagnostics`, with the same numbers.

`network_problem` reads a module of plain layers into a `tw.NetworkProblem`, for every verb.

`import thalweg.torch` needs the extra `torch`. Losses are written as PyTorch has them: `criterion(outputs, targets)`.
Stability limits take numbers and are the same: `thalweg.diagnostics.descent_limit` and its neighbours.
"""
# pyright: reportMissingImports=false

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("thalweg.torch needs PyTorch; install it with: pip install thalweg[torch]") from error

from .curvatures import Sharpness, curvature, gauss_newton_sharpness, sharpness
from .module_ranges import linear_range, suggest_learning_rate
from .networks import network_problem
from .states import descent, layer_states

__all__ = [
    "Sharpness",
    "curvature",
    "descent",
    "gauss_newton_sharpness",
    "layer_states",
    "linear_range",
    "network_problem",
    "sharpness",
    "suggest_learning_rate",
]
