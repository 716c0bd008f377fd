"""Stored trajectories as a dataset: labels, units, a round trip through netCDF."""

import numpy as np
import pytest
import xarray as xr

from devicephys.errors import ParameterError
from devicephys.io import netcdf, trajectories
from devicephys.mram import macrospin
from devicephys.mram.free_layer import NONE, Stage, uniaxial

LAYER = uniaxial(60, 0.05, h=[0.05, 0, 0])
PATHS = macrospin.trajectories(
    LAYER, [Stage(LAYER, np.array([0, 0, -2.0]), NONE, np.array(2.0))], [0.0, 1.0, 2.0], 5,
    np.random.default_rng(1),
)  # fmt: skip


def test_values_and_units_are_those_of_the_paths(tmp_path):
    found = trajectories.dataset(PATHS, 2e-9)
    np.testing.assert_array_equal(found.m.sel(component="z"), PATHS.m[2])
    np.testing.assert_allclose(found.time_s, [0, 2e-9, 4e-9])
    assert found.time_s.attrs["units"] == "s"
    netcdf.write(found, tmp_path / "paths.nc")
    xr.testing.assert_identical(netcdf.read(tmp_path / "paths.nc"), found)


def test_a_damping_time_has_to_be_positive():
    with pytest.raises(ParameterError, match="t_d"):
        trajectories.dataset(PATHS, 0.0)
