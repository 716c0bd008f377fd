"""Likelihood fits of device parameters, and their results as JSON."""
