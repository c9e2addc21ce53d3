"""Linear classifiers on two classes: a Gaussian mixture, or a user's own data."""

import lazy_loader

# the family's public names stand in __init__.pyi; each is imported when it is first used
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
