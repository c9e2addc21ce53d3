from .selected import Interpolator as Interpolator
from .selected import interpolator as interpolator
