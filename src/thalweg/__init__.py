"""thalweg: predict how a network will train, train it for real, and compare the two."""

import lazy_loader

# the public names stand in __init__.pyi; each is imported when it is first used, so that importing thalweg is quick
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
