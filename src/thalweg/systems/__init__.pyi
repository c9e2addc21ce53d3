from . import committee_machine as committee_machine
from . import deep_linear as deep_linear
from . import linear_classifier as linear_classifier
from . import linear_regression as linear_regression
from . import logistic as logistic
from . import orthogonal_relu as orthogonal_relu
from . import own_data as own_data
from . import quadratic_network as quadratic_network
