"""Magnetic memory: junction parameters, write error rate, write energy."""
