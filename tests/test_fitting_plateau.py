"""Plateaus and returning errors: found where they are, and rarely anywhere else."""

import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, special

from devicephys.errors import ParameterError
from devicephys.fitting import plateau

VOLTAGE = np.linspace(0.8, 1.1, 16)
CURVES = (("A", "P->AP", 0.90, 0.044), ("A", "AP->P", 0.95, 0.065),
          ("B", "P->AP", 0.90, 0.024), ("B", "AP->P", 0.88, 0.043))  # fmt: skip
LABELS = [np.repeat([c[j] for c in CURVES], len(VOLTAGE)) for j in (0, 1)]
DRIVES = {"pulse_voltage": np.tile(VOLTAGE, len(CURVES))}
LOG_P = np.concatenate([special.log_ndtr((v50 - VOLTAGE) / s) for _, _, v50, s in CURVES])
N = np.full(len(LOG_P), 100)


def find(k, n=N, log_p=LOG_P, seed=1):
    return plateau.anomalies(*LABELS, DRIVES, k, n, log_p, np.random.default_rng(seed))


def test_clean_data_sets_raise_alarms_at_the_stated_rate(monkeypatch):
    monkeypatch.setattr(plateau, "BOOTSTRAPS", 249)
    rng = np.random.default_rng(5)
    alarms = sum(bool(find(rng.binomial(N, np.exp(LOG_P)), seed=s)) for s in range(200))
    assert alarms <= 4  # 2 %; at a true rate of 1 % more with chance 5 %, seed fixed


def test_a_plateau_is_found_where_it_is():
    p = np.exp(LOG_P)
    row = 16 + np.arange(7, 12)  # device A, AP->P, 0.94 to 1.02 V
    p[row] = 0.28
    hits = []
    for seed in range(20):
        k = np.random.default_rng(seed).binomial(N, p)
        hits += [x for x in find(k) if x.kind == "plateau"]
    assert len(hits) >= 18  # of 20
    assert {(x.device, x.direction, x.along) for x in hits} == {("A", "AP->P", "pulse_voltage")}
    assert all(len(set(x.points) & set(row)) >= 3 for x in hits)
    assert all(x.p_value < 0.01 and 0.2 < x.level < 0.35 for x in hits)
    assert hits[0].start == pytest.approx(VOLTAGE[hits[0].points[0] - 16])
    assert hits[0].sentence().startswith("Plateau: device A, AP->P: the error rate stands still")


def test_a_row_that_is_shifted_or_steeper_is_no_plateau():
    shifted = np.concatenate([special.ndtr((v + 0.02 - VOLTAGE) / s) for _, _, v, s in CURVES])
    steeper = np.concatenate([special.ndtr((v - VOLTAGE) / s * 1.5) for _, _, v, s in CURVES])
    for p in (shifted, steeper):
        k = np.round(100 * p)
        assert find(k) == ()


def test_errors_that_return_with_the_drive_are_found():
    p = np.exp(LOG_P)
    p[16 * 4 - 5 :] = [0.01, 0.03, 0.06, 0.1, 0.15]  # device B, AP->P, from 1.02 V on
    found = find(np.random.default_rng(3).binomial(N, p))
    assert [(x.kind, x.device, x.direction) for x in found] == [("ballooning", "B", "AP->P")]
    assert found[0].stop == pytest.approx(1.1)
    assert found[0].p_value == pytest.approx(2 / 1000)
    assert "rises again" in found[0].sentence()


def test_many_counts_show_a_low_floor_which_stands_still_and_does_not_rise():
    n = np.full(len(LOG_P), 10**6)
    p = np.where(np.isin(np.arange(len(LOG_P)), 16 + np.arange(10, 16)), 0.005, np.exp(LOG_P))
    found = find(np.random.default_rng(3).binomial(n, p), n)
    assert {(x.kind, x.device, x.direction) for x in found} == {("plateau", "A", "AP->P")}
    assert found[0].level == pytest.approx(0.005, rel=0.05)


def test_departures_are_said_in_one_sentence_a_kind():
    one = plateau.Anomaly("plateau", "A", "P->AP", "pulse_width", (), 3e-9, 5e-9, 0.2, 0.002, (1,))
    several = [one, *(replace(one, device=f"d{j}", kind="ballooning") for j in range(9))]
    first, second = plateau.sentences(several)
    assert first == one.sentence()
    assert second.startswith("Ballooning: device d0, P->AP: the error rate (here 0.2) rises again")
    assert "; the like in 8 more rows of pulses, of devices d1, d2, d3, d4, d5, d6 and 2" in second
    assert second.count("no single macrospin") == 1


def test_rates_that_never_rise_are_those_of_pool_adjacent_violators():
    rng = np.random.default_rng(7)
    index = np.arange(24).reshape(3, 8)
    there = np.ones((3, 8), bool)
    there[2, 5:] = False  # a short row
    rows = plateau._Rows("pulse_voltage", index, there)
    n = rng.integers(20, 200, 24).astype(float)
    k = rng.binomial(n.astype(int), rng.uniform(0, 1, (5, 24))).astype(float)
    deviance, falling = plateau._rises(rows, k, n)
    for draw in range(5):
        for row in range(3):
            mine = index[row][there[row]]
            e, t = k[draw, mine], n[mine]
            best = optimize.isotonic_regression(e / t, weights=t, increasing=False).x
            assert falling[draw, row, : len(mine)] == pytest.approx(best, abs=1e-12)
            exact = 2 * (special.xlogy(e, e / t / np.where(e > 0, best, 1)) + special.xlogy(
                t - e, (1 - e / t) / np.where(e < t, 1 - best, 1)
            ))  # fmt: skip
            assert deviance[draw, row, : len(mine)] == pytest.approx(exact, abs=1e-9)
    assert (deviance[:, 2, 5:] == 0).all()


def test_rows_hold_the_other_drives_and_runs_may_lie_along_any_of_them():
    width, current = np.meshgrid(np.linspace(1e-9, 9e-9, 9), [60e-6, 70e-6])
    drives = {"pulse_current": current.ravel(), "pulse_width": width.ravel()}
    log_p = special.log_ndtr((5e-9 - drives["pulse_width"]) / 2e-9)
    n = np.full(18, 1000)
    k = np.round(1000 * np.exp(log_p))
    k[9 + 2 : 9 + 6] = 800
    order = np.random.default_rng(1).permutation(18)
    found = plateau.anomalies(
        np.full(18, "D"), np.full(18, "P->AP"), {x: v[order] for x, v in drives.items()},
        k[order], n, log_p[order], np.random.default_rng(2),
    )  # fmt: skip
    assert [x.along for x in found] == ["pulse_width"]
    assert found[0].held == (("pulse_current", 70e-6),)
    assert sorted(order[list(found[0].points)]) == [11, 12, 13, 14]
    assert "at 70 uA: the error rate stands still at 0.8 from 3 ns to 6 ns" in found[0].sentence()


def test_a_large_data_set_takes_little_time():
    width, current, device = np.meshgrid(np.arange(1, 14), np.arange(4), np.arange(16))
    log_p = special.log_ndtr(1 - width.ravel() / 3 - current.ravel() / 4)
    n = np.full(log_p.size, 10**6)
    k = np.random.default_rng(1).binomial(n, np.exp(log_p))
    drives = {"pulse_current": current.ravel() + 1.0, "pulse_width": width.ravel() * 1.0}
    start = time.perf_counter()
    found = plateau.anomalies(
        device.ravel().astype(str), np.full(log_p.size, "P->AP"), drives, k, n, log_p,
        np.random.default_rng(1),
    )  # fmt: skip
    assert time.perf_counter() - start < 3  # 0.3 s where nothing else runs
    assert found == ()


def test_rows_too_short_to_judge_give_nothing_and_wrong_arguments_are_refused():
    two = (["A", "A"], ["P->AP"] * 2, {"pulse_voltage": np.array([0.9, 1.0])})
    assert plateau.anomalies(*two, [50, 50], [100, 100], [-1, -2], np.random.default_rng(1)) == ()
    with pytest.raises(ParameterError, match="one shape"):
        plateau.anomalies(*two, [50, 50, 1], [100, 100], [-1, -2], np.random.default_rng(1))
    with pytest.raises(ParameterError, match="k > n"):
        plateau.anomalies(*two, [50, 101], [100, 100], [-1, -2], np.random.default_rng(1))
    with pytest.raises(ParameterError, match=r"unknown drive 'voltage'.*pulse_voltage"):
        plateau.anomalies(
            *two[:2], {"voltage": np.ones(2)}, [1, 1], [9, 9], [-1, -2], np.random.default_rng(1)
        )
