"""Resistive memory: models of switching and noise, distributions, cells and their errors."""
