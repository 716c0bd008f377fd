"""Stored trajectories as a labelled dataset, which `netcdf` writes."""

import xarray as xr

from devicephys.checks import in_range
from devicephys.mram.macrospin import Paths


def dataset(paths: Paths, t_d: float) -> xr.Dataset:
    """Label stored trajectories, with times in seconds.

    Parameters
    ----------
    paths : Paths
        Trajectories, see `macrospin.trajectories`.
    t_d : float
        Damping time of the layer, > 0 [s].

    Returns
    -------
    xarray.Dataset
        ``m`` over component (x, y, z), time_s and trajectory; z is the axis of the initial state.

    Raises
    ------
    ParameterError
        If the damping time is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from devicephys.mram.free_layer import NONE, Stage, uniaxial
    >>> from devicephys.mram.macrospin import trajectories
    >>> layer = uniaxial(60, 0.01)
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(5.0))]
    >>> paths = trajectories(layer, pulse, [0.0, 5.0], 4, np.random.default_rng(1))
    >>> dict(dataset(paths, 1e-9).sizes)
    {'component': 3, 'time_s': 2, 'trajectory': 4}
    """
    in_range("t_d", t_d, "s", above=0, scalar=True)
    return xr.Dataset(
        {"m": (("component", "time_s", "trajectory"), paths.m, {
            "long_name": "unit vector of the magnetisation", "units": "1"})},
        coords={
            "component": ["x", "y", "z"],
            "time_s": ("time_s", paths.tau * t_d, {"long_name": "time", "units": "s"}),
            "tau": ("time_s", paths.tau, {"long_name": "time over damping time", "units": "1"}),
        },
        attrs={"t_d_s": float(t_d)},
    )  # fmt: skip
