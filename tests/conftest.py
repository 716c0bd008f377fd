"""Fixtures that more than one test module uses."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from devicephys.bnn.network import Layer, Network


@pytest.fixture
def data_folder() -> Path:
    """Folder of external data that DEVICEPHYS_DATA names."""
    value = os.environ.get("DEVICEPHYS_DATA", "")
    if not value:
        pytest.skip("DEVICEPHYS_DATA is not set: no external data")
    return Path(value)


@pytest.fixture
def tiny_network() -> Network:
    """Network of 12 inputs (6 pixels, 2 levels), 7 hidden units and 3 classes."""
    rng = np.random.default_rng(42)
    sizes = (12, 7, 3)
    layers = tuple(
        Layer(
            rng.choice([-1, 1], (n_out, n_in)).astype(np.int8),
            rng.integers(-3, 4, n_out).astype(np.int32),
        )
        for n_in, n_out in pairwise(sizes)
    )
    return Network("tiny", (85, 170), layers, {"seed": 42})
