"""Genuine pixels, downloads over a faulty network, and what is said when files are damaged."""
