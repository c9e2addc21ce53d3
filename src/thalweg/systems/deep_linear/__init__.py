"""Deep linear networks, f(x) = W_N ... W_1 x: exact flows, certificates, regularised landscape."""

import lazy_loader

# the family's public names stand in __init__.pyi; each is imported when it is first used
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
