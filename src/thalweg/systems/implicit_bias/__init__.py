"""Implicit bias: which of all fitting solutions training selects."""

import lazy_loader

# the family's public names stand in __init__.pyi; each is imported when it is first used
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
