"""The notebooks' vocabulary: all that `from utilities import …` offers, and nothing else.

The names stand in `__init__.pyi`, where editors look them up too. They are loaded on first use, so
that judging and the command line need no TensorFlow.
"""

import lazy_loader

from utilities.quiet import quiet_tensorflow

quiet_tensorflow()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
