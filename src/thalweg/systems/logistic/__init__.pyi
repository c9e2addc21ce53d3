from .adviser import LogisticAdviser as LogisticAdviser
from .presets import JiTelgarsky2019 as JiTelgarsky2019
from .problem import DatasetLogistic as DatasetLogistic
from .problem import LogisticSample as LogisticSample
from .ray_plus_offset import FiniteOptimum as FiniteOptimum
from .ray_plus_offset import RayPlusOffset as RayPlusOffset
from .separable import Separation as Separation
from .separable import separation as separation
