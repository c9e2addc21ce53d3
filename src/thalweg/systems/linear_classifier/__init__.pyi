from .adviser import MixtureAdviser as MixtureAdviser
from .eigenmodes import Eigenmodes as Eigenmodes
from .marchenko_pastur import MarchenkoPastur as MarchenkoPastur
from .presets import CouilletLiao2022 as CouilletLiao2022
from .presets import LiaoCouillet2018 as LiaoCouillet2018
from .problem import LinearClassifier as LinearClassifier
