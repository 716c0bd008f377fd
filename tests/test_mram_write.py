"""The front door: reduction to the solver, drive, heat, energy balance, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import conditions, fokker_planck, junction, landscape
from devicephys.mram.circuit import Access, bias
from devicephys.mram.conditions import Deviation
from devicephys.mram.pulse import levels, square, train, trapezoid
from devicephys.mram.write import energy_per_bit, write_energy, write_error_rate, write_verify
from devicephys.parameters import MTJ

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1.2e-9, r_p=4e3, tmr=1.2)
PULSE = square("current", 60e-6, 6e-9)


def rate(device=DEVICE, pulse=PULSE, direction="P->AP", **rest):
    return write_error_rate(device, pulse, direction, **rest).wer


def energy(device=DEVICE, pulse=PULSE, direction="P->AP", **rest):
    return write_energy(device, pulse, direction, **rest)


def test_reduces_current_and_width_by_direction():
    exact = fokker_planck.wer([2.0, 3.0], 5.0, 60.0, readout="relaxed")
    assert rate() == pytest.approx(exact[0], rel=1e-9)
    assert rate(direction="AP->P") == pytest.approx(exact[1], rel=1e-9)


def test_stray_field_and_asymmetry_have_the_sign_of_the_direction():
    device = replace(DEVICE, h_stray=0.04, lam=1.3)
    for direction, sign, i in (("P->AP", 1, 2.0), ("AP->P", -1, 3.0)):
        a = float(landscape.asymmetry(1.3, direction == "P->AP"))
        exact = fokker_planck.wer(i, 5.0, 60.0, sign * 0.04, a, readout="relaxed")
        assert rate(device, direction=direction) == pytest.approx(float(exact), rel=1e-6)


def test_field_like_torque_acts_as_a_field_that_follows_the_current():
    device = replace(DEVICE, h_field_like=0.03)
    exact = fokker_planck.wer(2.0 * 0.97, 5.0, 60.0, readout="relaxed")  # f = i - 0.03 i - z
    assert rate(device) == pytest.approx(float(exact), rel=1e-6)


def test_broadcasts_currents_against_widths():
    found = rate(pulse=square("current", np.array([[50e-6], [60e-6]]), [2e-9, 4e-9, 6e-9]))
    assert found.shape == (2, 3)
    assert (np.diff(found, axis=0) < 0).all()


def test_many_currents_agree_with_few():
    many = np.linspace(35e-6, 90e-6, 901)
    dense = rate(pulse=square("current", many[:, None], [3e-9, 9e-9]))
    some = rate(pulse=square("current", many[::100, None], [3e-9, 9e-9]))
    assert dense[::100] == pytest.approx(some, rel=3e-6)


def test_voltage_drive_of_a_junction_without_tmr_is_a_current():
    device = replace(DEVICE, tmr=1e-9)
    by_voltage = rate(device, square("voltage", 60e-6 * 6e3, 6e-9), access=Access(r_s=2e3))
    assert by_voltage == pytest.approx(rate(), rel=1e-6)


def test_voltage_drive_lies_between_the_currents_of_both_states():
    pulse = square("voltage", 0.3, 6e-9)
    z = np.array([1.0, -1.0])
    ends = bias(DEVICE, "P->AP", "voltage", np.array([0.3]), z, Access(), np.array([4e3])).current[
        0
    ]
    low, high = (rate(pulse=square("current", i, 6e-9)) for i in ends)
    assert low < rate(pulse=pulse) < high


def test_voltage_drive_follows_the_load_line_through_the_angle():
    """The conductance law makes the torque that of an asymmetry: i ~ 1 + x z, no bias effect."""
    device = replace(DEVICE, v_h=1e6)
    x = 1.2 / 3.2
    i = 0.3 / 4e3 / 30e-6
    f = landscape.from_samples(i * (1 + x * landscape.NODES) / (1 + x) - landscape.NODES)
    stage = fokker_planck.Stage(f[None], np.array([1 / 120]), np.array([[5.0]]))
    exact = fokker_planck.solve_stages(
        landscape.drift([0.0]), np.array([60.0]), lambda _: [stage], readout="relaxed"
    )
    assert rate(device, square("voltage", 0.3, 6e-9)) == pytest.approx(exact.wer[0, 0], rel=1e-6)


def test_voltage_control_of_anisotropy_helps_one_direction_and_hinders_the_other():
    device, pulse = replace(DEVICE, h_k_slope=-0.2), square("voltage", 0.3, 6e-9)
    assert rate(device, pulse) < rate(pulse=pulse)
    pulse = square("voltage", 0.4, 4e-9)
    assert rate(device, pulse, "AP->P") > rate(pulse=pulse, direction="AP->P")


def test_constant_change_of_anisotropy_is_another_junction():
    """kappa scales field, barrier and time: i/kappa, kappa Delta, kappa tau, same start."""
    device = replace(DEVICE, h_k_slope=-0.3, tmr=1e-9)
    kappa = 1 - 0.3 * 0.24  # 60 uA through 4 kOhm
    f = landscape.drift([2.0]) + np.array([[0.0, 1 - kappa]])
    stage = fokker_planck.Stage(f, np.array([1 / 120]), np.array([[5.0]]))
    exact = fokker_planck.solve_stages(
        landscape.drift([0.0]), np.array([60.0]), lambda _: [stage], readout="relaxed"
    ).wer[0, 0]
    assert rate(device) == pytest.approx(exact, rel=1e-6)
    scaled = fokker_planck.wer(2 / kappa, 5 * kappa, 60 * kappa, readout="relaxed")
    assert exact == pytest.approx(float(scaled), rel=0.2)  # but for start and read-out


def test_joule_heating_is_the_noise_and_the_material_of_the_hotter_layer():
    device = replace(DEVICE, r_th=2e6, bloch=2e-5, shape_field=2.0)
    temperature = 300 + 2e6 * 60e-6**2 * 4e3
    hot = junction.at_temperature(device, temperature)
    m, kappa = (float(x) for x in junction.thermal_scaling(device, temperature))
    # In units of the cold junction: the same rates in the units of the hot one.
    i, tau = 60e-6 / hot.i_c0_p_ap, 6e-9 / hot.t_d
    assert i == pytest.approx(2 / m / kappa)
    late = [
        -np.diff(np.log(x))[0]
        for x in (
            rate(device, square("current", 60e-6, [12e-9, 13e-9])),
            fokker_planck.wer(i, [tau * 2, tau * 13 / 6], hot.delta),
        )
    ]
    assert late[0] == pytest.approx(late[1], rel=1e-5)  # the tail knows only the pulse


def test_ramps_converge_to_a_square_pulse():
    edges = [trapezoid("current", 60e-6, 6e-9, t, t) for t in (1e-12, 0.1e-9)]
    sharp, soft = (rate(pulse=p) for p in edges)
    assert sharp == pytest.approx(rate(), rel=5e-3)
    assert soft < sharp  # the edges come on top of the width


@pytest.mark.parametrize("drive", ["current", "voltage"])
def test_ramps_agree_with_fine_stairs(drive):
    top = 60e-6 if drive == "current" else 0.3
    ramped = write_error_rate(DEVICE, trapezoid(drive, top, 4e-9, 2e-9, 1e-9), "P->AP", rtol=1e-5)
    n = 64
    up, down = ((np.arange(n) + 0.5) / n * top, (np.arange(n) + 0.5)[::-1] / n * top)
    stairs = levels(drive, [*up, top, *down], [2e-9 / n] * n + [4e-9] + [1e-9 / n] * n)
    assert ramped.wer == pytest.approx(rate(pulse=stairs), rel=1e-3)  # stairs: second order
    assert ramped.error < 1e-5 * ramped.wer


def test_widths_of_a_trapezoid_are_swept_together():
    widths = np.array([2e-9, 4e-9, 7e-9])
    table = rate(pulse=trapezoid("current", [[50e-6], [60e-6]], widths, 1e-9, 1e-9))
    single = rate(pulse=trapezoid("current", 60e-6, 4e-9, 1e-9, 1e-9))
    assert table[1, 1] == pytest.approx(single, rel=1e-6)


def test_a_rest_between_pulses_lets_the_layer_forget():
    one = rate()
    back_to_back = rate(pulse=train(PULSE, 2, 1e-13))
    apart = rate(pulse=train(PULSE, 2, 60e-9))
    assert back_to_back == pytest.approx(rate(pulse=square("current", 60e-6, 12e-9)), rel=2e-2)
    assert apart == pytest.approx(one**2, rel=2e-2)
    assert back_to_back < apart


def test_write_verify_counts_attempts_and_energy():
    found = write_verify(DEVICE, PULSE, "P->AP", 3, 60e-9)
    one = float(rate())
    assert found.wer == pytest.approx([one, one**2, one**3], rel=0.05)
    assert found.attempts == pytest.approx(1 + found.wer[0] + found.wer[1])
    assert found.energy == pytest.approx(found.attempts * write_energy(DEVICE, PULSE, "P->AP"))


def test_deviation_is_another_record():
    other = replace(
        DEVICE, delta=66.0, i_c0_p_ap=27e-6, t_d=1.32e-9, r_p=4.4e3,
    )  # fmt: skip
    deviation = Deviation(i_c0=0.9, delta=1.1, t_d=1.1, r_p=1.1)
    for pulse in (PULSE, square("voltage", 0.3, 6e-9)):
        assert rate(pulse=pulse, deviation=deviation) == pytest.approx(rate(other, pulse), rel=1e-9)
        energies = [
            write_energy(d, pulse, "P->AP", deviation=x)
            for d, x in ((DEVICE, deviation), (other, Deviation()))
        ]
        assert energies[0] == pytest.approx(energies[1], rel=1e-9)


@pytest.mark.parametrize(
    ("direction", "start", "end"), [("P->AP", 1.0, -1.0), ("AP->P", 1.0, -1.0)]
)
def test_energy_goes_from_the_initial_to_the_final_state(direction, start, end):
    z = np.array([start, end])
    power = bias(DEVICE, direction, "current", np.array([9e-5]), z, Access(), np.array([4e3])).power
    short, long, longer = write_energy(
        DEVICE, square("current", 90e-6, [1e-12, 200e-9, 201e-9]), direction
    )
    assert short == pytest.approx(power[0, 0] * 1e-12, rel=1e-2)  # <z> of the start is 1 - 1/120
    assert longer - long == pytest.approx(power[0, 1] * 1e-9, rel=5e-3)


def test_energy_is_close_to_that_of_a_jump_at_the_equator():
    """The old two-state picture: each state for the mean time spent on its side."""
    z = np.array([1.0, -1.0])
    power = bias(DEVICE, "P->AP", "current", np.array([6e-5]), z, Access(), np.array([4e3])).power[
        0
    ]
    t = np.linspace(0, 8e-9, 801)[1:]
    stay = np.r_[1.0, rate(pulse=square("current", 60e-6, t), atol=1e-9)]
    waiting = np.trapezoid(stay, dx=1e-11)
    jump = power[1] * 8e-9 + (power[0] - power[1]) * waiting
    found = write_energy(DEVICE, square("current", 60e-6, 8e-9), "P->AP")
    assert found == pytest.approx(jump, rel=0.03)
    assert found < jump  # on its way the layer still conducts well


def test_energy_per_bit_is_the_mean_of_both_directions_and_includes_the_access_device():
    both = [write_energy(DEVICE, PULSE, d) for d in ("P->AP", "AP->P")]
    assert energy_per_bit(DEVICE, PULSE) == pytest.approx(np.mean(both))
    more = energy_per_bit(DEVICE, PULSE, access=Access(r_s=1e3)) - energy_per_bit(DEVICE, PULSE)
    assert more == pytest.approx(60e-6**2 * 1e3 * 6e-9, rel=1e-6)


def test_energy_of_a_long_weak_pulse_is_that_of_the_state_it_leaves_alone():
    pulse = square("current", 5e-6, [1e-6, 1.0])
    found = write_energy(DEVICE, pulse, "P->AP")
    # Thermal angle: <z> is 1 - 1/(2 Delta (1 - i)), and the resistance a little above R_P.
    assert found == pytest.approx(np.array([1e-6, 1.0]) * 5e-6**2 * 4e3, rel=4e-3)
    assert (found > np.array([1e-6, 1.0]) * 5e-6**2 * 4e3).all()


def test_energy_is_continuous_where_the_thermal_law_takes_over():
    """One pulse, in one piece (thermal law) and cut into two (solver)."""
    level = 0.45 * 30e-6
    whole = write_energy(DEVICE, square("current", level, 10e-9), "P->AP")
    halves = write_energy(DEVICE, levels("current", [level] * 2, [5e-9] * 2), "P->AP")
    assert whole == pytest.approx(halves, rel=2e-5)


def test_energy_of_ramps_against_fine_stairs():
    device = replace(DEVICE, r_th=1e5, bloch=1e-5, h_k_slope=0.1, lam=1.3)
    pulse = trapezoid("voltage", 0.3, 2e-9, 40e-9, 10e-9)
    n = 400
    up, down = ((np.arange(n) + 0.5) / n * 0.3, (np.arange(n) + 0.5)[::-1] / n * 0.3)
    stairs = levels("voltage", [*up, 0.3, *down], [40e-9 / n] * n + [2e-9] + [10e-9 / n] * n)
    exact = write_energy(device, stairs, "P->AP")
    assert write_energy(device, pulse, "P->AP") == pytest.approx(exact, rel=5e-4)


def test_a_zero_amplitude_costs_nothing_and_spoils_no_table():
    found = write_energy(DEVICE, trapezoid("current", [0.0, 60e-6], 1e-9, 1e-9, 1e-9), "P->AP")
    assert found[0] == 0.0
    assert found[1] > 0


def test_stiff_layers_have_an_energy_and_an_error_rate():
    stiff = replace(DEVICE, delta=250.0)
    pulse = square("current", 21e-6, 1e-8)
    assert rate(stiff, pulse) == pytest.approx(1.0, abs=1e-6)
    assert write_energy(stiff, pulse, "P->AP") == pytest.approx(21e-6**2 * 4e3 * 1e-8, rel=1e-2)


def test_heating_agrees_with_the_record_at_that_temperature():
    """Every effect at once: the drift of the heated cell is that of the hotter record."""
    device = replace(
        DEVICE, bloch=2e-5, shape_field=2.0, h_k_slope=0.05, h_field_like=0.1, h_stray=0.03, lam=1.2
    )
    level = np.array([0.3])
    heated = replace(device, r_th=60.0 / float(0.3**2 / 4e3))
    hot = junction.at_temperature(device, 360.0)
    z = landscape.NODES
    drifts = []
    for mtj in (heated, hot):
        pulse = square("voltage", 0.3, 1e-9)
        table, _, swept = conditions.points(pulse, Deviation())
        problem = conditions.Problem(mtj, pulse, "P->AP", Access(), swept)
        f, noise = conditions._conditions(problem, table[:, :-1], level)
        drifts.append((landscape.evaluate(f, z[None])[0], noise[0], mtj.t_d))
    (cold_f, cold_noise, cold_t), (hot_f, hot_noise, hot_t) = drifts
    assert cold_f / cold_t == pytest.approx(hot_f / hot_t, rel=1e-9)  # per second
    assert cold_noise / cold_t == pytest.approx(hot_noise / hot_t, rel=1e-9)


@pytest.mark.parametrize("method", ["auto", "fokker_planck"])
def test_a_current_beyond_the_access_curve_is_refused_under_current_drive_too(method):
    with pytest.raises(ParameterError, match="beyond the access device's curve"):
        rate(method=method, access=Access(0.0, (0.0, 0.2), (0.0, 3e-5)))


@pytest.mark.parametrize("quantity", [rate, energy])
def test_devices_of_different_damping_time_that_share_widths(quantity):
    """In seconds they share them, in times of the layer they do not."""
    pulse = square("voltage", 0.3, [3e-9, 5e-9, 8e-9])
    many = quantity(pulse=pulse, deviation=Deviation(t_d=[[1.0], [1.1]]))
    for found, factor in zip(many, (1.0, 1.1), strict=True):
        alone = quantity(pulse=pulse, deviation=Deviation(t_d=factor))
        assert found == pytest.approx(alone, rel=1e-6)


def test_auto_reports_what_it_chose():
    found = write_error_rate(DEVICE, square("current", [5e-6, 60e-6], 6e-9), "P->AP")
    assert found.method.tolist() == ["thermal", "fokker_planck"]
    assert found.reason.startswith("thermal law at 1 of 2 points")
    assert (found.error <= 1e-5).all()


def test_closed_form_on_request_says_where_its_error_is_unknown():
    found = write_error_rate(
        DEVICE, square("current", [40e-6, 75e-6], 6e-9), "P->AP", "closed_form"
    )
    exact = rate(pulse=square("current", [40e-6, 75e-6], 6e-9))
    assert np.isinf(found.error[0])
    assert abs(found.wer[1] - exact[1]) < found.error[1]
    late = write_error_rate(DEVICE, square("current", 60e-6, 36e-9), "P->AP", "closed_form")
    assert np.isinf(late.error)  # 1.57 of the exact rate at tau = 30


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate(direction="P-AP"), r"unknown direction 'P-AP'.*P->AP"),
        (lambda: rate(method="best"), "unknown method 'best'"),
        (lambda: rate(pulse=train(PULSE, 2, 1e-8), method="thermal"), "pulse of 3 pieces"),
        (lambda: rate(deviation=Deviation(delta=0.0)), "Deviation.delta = 0"),
        (lambda: rate(rtol=0.0), "rtol = 0"),
        (lambda: rate(rtol=[1e-3]), r"rtol of shape \(1,\)"),
        (
            lambda: rate(pulse=square("current", [1e-5, 2e-5], [1e-9, 2e-9, 3e-9])),
            r"shapes that do not fit.*\(2,\).*\(3,\)",
        ),
        (lambda: rate(pulse=square("current", [], 1e-9)), "nothing to compute"),
        (lambda: rate(pulse=square("current", "much", 1e-9)), "current of a pulse = 'much'"),
        (lambda: write_verify(DEVICE, PULSE, "P->AP", 2.5, 1e-8), r"attempts = 2\.5"),
        (
            lambda: rate(pulse=square("voltage", 0.3, 6e-9), method="closed_form"),
            "torque that depends on the angle",
        ),
    ],
)
def test_refuses_impossible_questions(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_a_tolerance_out_of_reach_gives_the_error_it_has():
    soft = replace(DEVICE, delta=5.0, h_field_like=1e-6)
    with pytest.raises(AccuracyError, match=r"current = 4.5e-05, P->AP is uncertain by \d.*rtol"):
        rate(soft, square("current", 45e-6, 24e-9), rtol=1e-14)
