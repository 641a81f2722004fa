"""Profiles, and what a training costs."""
