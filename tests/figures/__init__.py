"""Every figure: legible to all, with alternative text, drawn as it should."""
