"""What training costs: energy and carbon, over carbontracker's own parts.

Names are loaded at first use: carbontracker brings pandas, the comparison Matplotlib and the
callback TensorFlow, and none of them is wanted by a program that only reads a saved report.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "meter": ["EnergyMeter"],
        "report": ["EnergyReport"],
        "tracker": ["make_tracker"],
    },
)
