"""Sensors recorded and simulated, the meter around a training, saved reports."""
