"""The two solvers of one equation against each other, and the finite volumes by themselves."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devicephys.errors import ParameterError
from devicephys.mram import finite_volume, fokker_planck, landscape

CONDITIONS = {
    "i": st.floats(0.5, 6.0), "tau": st.floats(0.2, 10.0), "delta": st.floats(20.0, 120.0),
    "h": st.floats(-0.1, 0.1), "lam": st.sampled_from([1.0, 1.0, 1.5, 0.8]),
}  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(**CONDITIONS)
@example(i=0.5, tau=0.33203125, delta=112.25, h=0.005859375, lam=1.0)  # 1.15 times both
def test_both_solvers_agree_within_twice_their_error_estimates(i, tau, delta, h, lam):
    a = float(landscape.asymmetry(lam, True))
    cells = finite_volume.solve(i, tau, delta, h, a)
    galerkin = fokker_planck.solve(i, tau, delta, h, a, atol=1e-250)
    # Twice: the estimates are no bounds. Below 1e-250 neither reaches.
    assert abs(cells.wer - galerkin.wer) <= 2 * (cells.error + galerkin.error) + 1e-250
    assert cells.error <= 0.1 * galerkin.wer + 1e-250  # the comparison can tell 10 %


@pytest.mark.parametrize("h", [0.0, 0.08])
def test_relaxed_readouts_agree(h):
    cells = finite_volume.solve(2.0, [2.0, 5.0], 60.0, h, readout="relaxed")
    exact = fokker_planck.wer(2.0, [2.0, 5.0], 60.0, h, readout="relaxed")
    assert cells.wer == pytest.approx(exact, rel=3e-4)


def test_generator_conserves_mass_and_holds_detailed_balance():
    edges = -np.cos(np.pi * np.arange(65) / 64)
    z = -np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    width = np.diff(edges)
    phi = landscape.potential(landscape.drift([0.7], 0.1), np.array([30.0]), z)[0]
    generator = finite_volume.generator(edges, z, phi, 30.0)
    assert np.abs(generator.sum(axis=0)).max() < 1e-9 * np.abs(generator).max()
    assert (generator - np.diag(generator.diagonal()) >= 0).all()
    law = np.exp(phi.min() - phi) * width
    flux = generator * law  # detailed balance: symmetric
    assert flux == pytest.approx(flux.T, rel=1e-9, abs=1e-300)


def test_tail_is_positive_and_keeps_its_relative_accuracy():
    found = finite_volume.solve(2.0, 30.0, 60.0)
    assert found.wer == pytest.approx(2.653635e-25, rel=1e-4)


def test_order_of_the_widths_does_not_matter():
    up, down = (finite_volume.solve(2.0, tau, 60.0).wer for tau in ([1.0, 3.0], [3.0, 1.0]))
    assert up.tolist() == down[::-1].tolist()


def test_refuses_what_it_cannot_read():
    with pytest.raises(ParameterError, match="unknown readout 'flux'"):
        finite_volume.solve(2.0, 1.0, 60.0, readout="flux")
