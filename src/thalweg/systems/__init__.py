"""Systems: a folder a family, with its problems, theories, presets and advice."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
