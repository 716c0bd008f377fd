"""Binarized networks: record and file, exact inference, bit errors, accuracy, training.

Nothing here knows a device: error rates come in as p01 and p10.
"""
