"""A user's own table: what the training points alone tell about the test curve, the best time and the best ridge."""

import lazy_loader

# the family's public names stand in __init__.pyi; each is imported when it is first used
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
