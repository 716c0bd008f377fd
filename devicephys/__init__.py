"""Physics-based modelling of memory devices, from error counts to network accuracy."""

__version__ = "0.1.0"
