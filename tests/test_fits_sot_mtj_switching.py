"""Switching probabilities against voltage: reading, fitting, and saying what does not fit."""

import json

import numpy as np
import pytest
from devicephys.fits import sot_mtj_switching as recipe
from scipy import special

from devicephys.errors import DataError, FitError
from devicephys.fitting import result as fit_result
from devicephys.fitting import wer_data

HEADER = "device_id,direction,V,t_p,P_sw,n_reps"
TRUTH = {("X", "P->AP"): (0.90, 0.03), ("X", "AP->P"): (0.95, 0.05), ("Y", "P->AP"): (0.88, 0.04)}


def run(dataset, seed=1):
    return recipe.fit(dataset, np.random.default_rng(seed), lambda done, total: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file of clean switching probabilities, 200 trials a point."""
    rng = np.random.default_rng(8)
    lines = [HEADER]
    for (device, direction), (v_50, sigma) in TRUTH.items():
        for v in np.linspace(0.78, 1.08, 11):
            p = rng.binomial(200, special.ndtr((v - v_50) / sigma)) / 200
            lines.append(f"{device},{direction},{v},7.5e-10,{p},200")
    path = tmp_path_factory.mktemp("sot") / "made.csv"
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")
    return path


@pytest.fixture(scope="module")
def fitted(made):
    return run(recipe.read(made))


@pytest.fixture
def measured(data_folder):
    path = data_folder / "measured" / "sot_mtj" / "measured_0p75ns.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return recipe.read(path)


def test_reads_probabilities_as_counts(made):
    dataset = recipe.read(made)
    assert dataset.attrs["kind"] == "wer_counts_voltage"
    assert len(dataset.attrs["sha256"]) == 64
    assert json.loads(dataset.attrs["metadata"]) == {"temperature": "not stated"}
    assert dataset.sizes["point"] == 33
    assert dataset.n_errors.dtype.kind == "i"
    assert dataset.n_errors.values[0] == 200  # nothing switched at 0.78 V
    assert dataset.pulse_voltage.attrs["units"] == "V"
    assert dataset.temperature.isnull().all()


def test_recovers_the_curves_and_raises_no_flag(fitted):
    assert fitted.flags == ()
    assert fitted.p_value > 0.001  # false alarm 0.1 %, seed fixed
    assert [e.name for e in fitted.estimates] == [
        "v_50_X_p_ap", "sigma_X_p_ap", "v_50_X_ap_p", "sigma_X_ap_p", "v_50_Y_p_ap", "sigma_Y_p_ap",
    ]  # fmt: skip
    for (device, direction), truth in TRUTH.items():
        for name, value in zip(("v_50", "sigma"), truth, strict=True):
            e = fitted[f"{name}_{device}_{wer_data.suffix(direction)}"]
            assert e.low < e.value < e.high
            assert abs(e.value - value) < 3.5 * e.stderr  # false alarm 0.3 % for all six
            assert e.unit == "V"
    assert [d.device for d in fitted.devices] == ["X", "Y"]
    assert fitted.dof == 33 - 6
    assert "no STT or SOT physics" in fitted.notes[0]
    assert "The temperature is not stated" in fitted.notes
    relative = np.sqrt(fitted.covariance[0][0])
    assert relative == pytest.approx(fitted.estimates[0].stderr / fitted.estimates[0].value)


def test_result_survives_json(fitted):
    text = fit_result.to_json(fitted)
    assert fit_result.to_json(fit_result.from_json(text, "x.json")) == text


def test_check_gives_every_point_beside_its_curve(made, fitted):
    dataset = recipe.read(made)
    points = recipe.check(dataset, fitted, np.random.default_rng(2))
    assert points.attrs["drive"] == "pulse_voltage"
    assert (points.deviance_residual**2).sum() == pytest.approx(fitted.deviance)
    assert np.abs(points.quantile_residual).max() < 4
    assert not points.flagged.any()
    assert (points.n_errors == dataset.n_errors).all()
    assert (np.diff(points.log_p[:11]) < 0).all()


def test_a_table_is_refused(made, fitted):
    with pytest.raises(DataError, match=r"without a resistance.*makes no table"):
        recipe.table(recipe.read(made), fitted, {})


def test_the_measured_plateau_is_found_and_the_trials_are_doubted(measured):
    found = run(measured)
    assert int(measured.n_errors.sum()) == 2114
    assert found.data["counting_step"] == 2
    assert "multiples of 2" in found.flags[0]
    assert found.p_value < 0.001
    (plateau,) = [x for x in found.flags if x.startswith("Plateau")]
    assert "device A, AP->P" in plateau
    points = recipe.check(measured, found, np.random.default_rng(1))
    flagged = points.isel(point=np.flatnonzero(points.flagged))
    assert set(flagged.device.values) == {"A"}
    assert set(flagged.direction.values) == {"AP->P"}
    assert {0.96, 0.98, 1.0} <= set(flagged.pulse_voltage.values.round(2))
    assert not any(x.startswith("Ballooning") for x in found.flags)
    assert found["v_50_B_p_ap"].value == pytest.approx(0.900, abs=0.005)


ROW = "A,P->AP,0.9,7.5e-10,0.5,100"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", r"no data rows"),
        ("A,P->AP,0.9,7.5e-10,0.5", r":2: 5 cells; expected 6"),
        ("A,up,0.9,7.5e-10,0.5,100", r":2: device 'A', direction 'up'; expected.*P->AP or AP->P"),
        ("A,P->AP,-0.9,7.5e-10,0.5,100", r":2:V: '-0.9'; expected a magnitude"),
        ("A,P->AP,0.9,750,0.5,100", r":2:t_p: '750'; .*seconds"),
        ("A,P->AP,0.9,7.5e-10,50,100", r":2:P_sw: '50'; expected a probability"),
        ("A,P->AP,0.9,7.5e-10,nan,100", r":2:P_sw: 'nan'"),
        ("A,P->AP,0.9,7.5e-10,0.5,100.5", r":2:n_reps: '100.5'; expected a whole number"),
        ("A,P->AP,0.9,7.5e-10,0.333,100", r":2:P_sw: P_sw n_reps = 33.3; expected a whole"),
        (f"{ROW}\n\n{ROW}", r":4: the same pulse again"),
    ],
)
def test_files_that_state_something_impossible_are_refused(rows, message, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}\n{rows}\n")
    with pytest.raises(DataError, match=message):
        recipe.read(path)


def test_tidy_counts_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "current.csv"
    path.write_text(
        "device,direction,pulse_current_A,pulse_width_s,temperature_K,n_trials,n_errors\n"
        "A,P->AP,6e-5,1e-8,300,100,5\n"
    )
    with pytest.raises(DataError, match=r"kind 'wer_counts'.*device_id,direction,V,t_p,P_sw"):
        recipe.read(path)


def test_several_widths_and_silent_curves_are_refused(made):
    dataset = recipe.read(made)
    mixed = dataset.copy(deep=True)
    mixed["pulse_width"].values[:5] = 1e-9
    with pytest.raises(DataError, match=r"pulse_width .*one pulse_width a fit; split the file"):
        run(mixed)
    silent = dataset.copy(deep=True)
    silent["n_errors"].values[:11] = 0
    with pytest.raises(FitError, match=r"made.csv, device 'X', P->AP: every pulse switched"):
        run(silent)
