"""Figures and sliders: `style` holds colours and fonts, `showing` the alternative text."""
