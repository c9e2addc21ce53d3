from .advised_ridge import AdvisedRidge as AdvisedRidge
from .stopped_descent import StoppedClassifier as StoppedClassifier
from .stopped_descent import StoppedRegressor as StoppedRegressor
