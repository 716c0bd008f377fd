"""Switching fields as data: their grouped likelihood, what grouping loses, recovery, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from devicephys.constants import MU_0
from devicephys.errors import DataError
from devicephys.fitting import problem, switching_fields
from devicephys.fitting.problem import Unknown
from devicephys.mram import switching_field
from devicephys.parameters import DIRECTIONS, MTJ

TRUTH = {"delta": 55.0, "t_d": 1e-9, "h_stray": 0.03, "h_k": 2.5e5}
DEVICE = MTJ(delta=55, i_c0_p_ap=1, i_c0_ap_p=1, t_d=1e-9, r_p=1, tmr=1, h_stray=0.03)
RATES = (0.01, 1.0)
UNKNOWNS = [
    Unknown("delta", "1", "", 15, 200, 45.0),
    Unknown("h_k", "A/m", "", 1e3, 1e7, 2e5),
    Unknown("h_stray", "1", "", -0.5, 0.5, 0.01, log=False),
    Unknown("t_d", "s", "", 1e-11, 1e-6, 1e-9, vary=False),
]


def drawn(seed, n=300):
    rng = np.random.default_rng(seed)
    rows = [
        (d, r, x) for d in DIRECTIONS for r in RATES
        for x in switching_field.quantile(rng.uniform(1e-9, 1, n), DEVICE, 2.5e5, d, r)
    ]  # fmt: skip
    names = ("direction", "field_rate", "switching_field")
    return xr.Dataset(
        {k: ("point", np.array(v)) for k, v in zip(names, zip(*rows, strict=True), strict=True)},
        attrs={"source": "fields.csv"},
    )


@pytest.fixture(scope="module")
def fields():
    return switching_fields.grouped(drawn(1))


def test_bins_hold_all_fields_and_count_those_left(fields):
    assert [(f.direction, f.rate) for f in fields] == [(d, r) for d in DIRECTIONS for r in RATES]
    for f in fields:
        assert f.left[0] == 300
        assert f.left[1:] == pytest.approx(f.left[:-1] - f.switched[:-1])
        assert f.left[-1] == f.switched[-1] > 0  # none lies beyond the last edge
        assert f.switched[0] == 0  # nor below the first


def test_deviance_is_that_of_the_multinomial_law(fields):
    one = switching_fields.block(fields[:1])
    f = fields[0]
    passed = switching_field.cumulated(f.edges, DEVICE, 2.5e5, f.direction, f.rate)
    share = np.diff(np.r_[0.0, -np.expm1(-passed), 1.0])
    counts = np.r_[f.switched, f.left[-1] - f.switched[-1]]
    there = counts > 0
    exact = 2 * (counts[there] * np.log(counts[there] / (300 * share[there]))).sum()
    assert (one.residuals(TRUTH) ** 2).sum() == pytest.approx(exact, rel=1e-9)


def test_recovers_the_truth_and_draws_what_it_models(fields):
    block = switching_fields.block(fields)
    found = problem.solve(UNKNOWNS, [block])
    errors = np.sqrt(np.diag(found.covariance))
    truth = [np.log(55.0), np.log(2.5e5), 0.03]
    assert (np.abs(found.theta - truth) < 4 * errors).all()  # 4 sigma: once in 5000
    rng = np.random.default_rng(2)
    deviances = [(block.drawn(TRUTH, rng).residuals(TRUTH) ** 2).sum() for _ in range(100)]
    # Sparse bins bring from none to 1.15 each; 92 bins, 100 draws: the mean is known to 1.4.
    assert 0.85 * block.size < np.mean(deviances) < 1.15 * block.size
    assert (block.residuals(TRUTH) ** 2).sum() < np.mean(deviances) + 4 * np.std(deviances)


def test_grouping_loses_little_of_the_information(fields):
    block = switching_fields.block(fields[:2])
    p = (np.arange(400) + 0.5) / 400
    samples = [(r, switching_field.quantile(p, DEVICE, 2.5e5, "P->AP", r)) for r in RATES]

    def score(theta):  # ln f of every field
        delta, h_k = np.exp(theta)
        device = replace(DEVICE, delta=delta)
        return np.concatenate([
            switching_field.log_rate(x / (MU_0 * h_k) - 0.03, delta)
            - switching_field.cumulated(x, device, h_k, "P->AP", r)
            for r, x in samples
        ])  # fmt: skip

    def residuals(theta):
        return block.residuals(TRUTH | dict(zip(("delta", "h_k"), np.exp(theta), strict=True)))

    theta, step = np.log([55.0, 2.5e5]), np.full(2, 1e-4)
    exact = problem.central_slopes(score, theta, step)
    grouped = problem.central_slopes(residuals, theta, step)
    ratio = np.diag(np.linalg.inv(grouped.T @ grouped)) / np.diag(
        np.linalg.inv(exact.T @ exact * 300 / 400)
    )
    assert (ratio < 1.2).all()  # of the variance; the slopes of one sample scatter by 10 %
    assert (ratio > 0.8).all()


def test_start_finds_anisotropy_and_stray_field(fields):
    found = switching_fields.start(fields, 55.0, 1e-9)
    assert found["h_k"] == pytest.approx(2.5e5, rel=0.05)
    assert found["h_stray"] == pytest.approx(0.03, abs=0.01)
    assert set(switching_fields.start(fields[:2], 55.0, 1e-9)) == {"h_k"}


def test_refuses_few_fields_and_a_sign_the_wrong_way_round():
    with pytest.raises(DataError, match=r"fields.csv: 5 switching fields, P->AP at 0.01"):
        switching_fields.grouped(drawn(1, 5))
    turned = drawn(1, 20)
    turned["switching_field"] = -turned.switching_field
    with pytest.raises(DataError, match="turn the sign"):
        switching_fields.start(switching_fields.grouped(turned), 55.0, 1e-9)
