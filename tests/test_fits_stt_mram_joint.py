"""The joint fit of a junction: recovery, what sharing gains, disagreement, folders, the table."""

import json
from dataclasses import replace

import numpy as np
import pytest
from devicephys.fits import recipe, stt_mram_joint, synthetic_joint

from devicephys.errors import DataError, FitError, ParameterError
from devicephys.fitting import junction_unknowns, problem
from devicephys.fitting import result as fit_result
from devicephys.fitting.problem import Found
from devicephys.io import tidy_csv

QUICK = ("wer_counts", "retention_counts", "resistance_loop", "switching_fields")


@pytest.fixture(scope="module")
def data():
    return synthetic_joint.generate(7)


@pytest.fixture(scope="module")
def tree(data):
    return stt_mram_joint.gathered({kind: data[kind] for kind in QUICK}, "device A1")


@pytest.fixture(scope="module")
def fitted(tree):
    return fit(tree)


def fit(tree):
    return stt_mram_joint.fit(tree, np.random.default_rng(1), lambda done, total: None)


def test_recovers_the_parameters_the_data_were_made_with(fitted):
    assert {e.name for e in fitted.estimates if e.vary} == {
        "delta", "i_c0_p_ap", "i_c0_ap_p", "t_d", "r_p", "tmr", "v_h", "h_stray", "h_k"
    }  # fmt: skip
    for e in fitted.estimates:
        if e.vary:  # 4 sigma, nine times: once in 1700
            assert abs(e.value - fitted.data["truth"][f"truth_{e.name}"]) < 4 * e.stderr
    assert fitted.p_value > 0.001
    assert fitted.dof == 30 + 18 + 62 + 100 - 9
    assert fitted.flags == ()


def test_sharing_delta_narrows_it_and_the_notes_say_by_what(fitted, data):
    alone = stt_mram_joint.assemble(
        stt_mram_joint.gathered({"wer_counts": data["wer_counts"]}, "A1")
    )
    found = stt_mram_joint.solved(alone)
    error = np.sqrt(found.covariance[0, 0])
    joint = fitted["delta"].stderr / fitted["delta"].value
    assert joint < error / 2
    without = fitted.data["kinds"]["retention_counts"]["stderr_without"]["delta"]
    assert joint < without < 1.1 * error
    assert any(n.startswith("delta: standard error") and "without retention" in n
               for n in fitted.notes)  # fmt: skip


def test_kinds_that_disagree_are_flagged(data):
    odd = data["retention_counts"].copy(deep=True)
    odd["temperature"] = odd.temperature + 6.0  # a thermometer that reads too much
    tree = stt_mram_joint.gathered(
        {"wer_counts": data["wer_counts"], "retention_counts": odd}, "A1"
    )
    flags = fit(tree).flags
    assert any("disagrees with the other kinds: without it delta" in f for f in flags)


def test_headers_fix_tie_and_inform(data):
    counts = data["wer_counts"].copy()
    extra = {
        "fixed_h_stray": "0.03 Hall bar of the film",
        "tied_i_c0_ap_p": f"{27 / 38:.12g} i_c0_p_ap efficiencies of the wafer",
        "prior_t_d": "1.1e-9 0.001 ferromagnetic resonance",
    }
    counts.attrs["metadata"] = json.dumps(json.loads(counts.attrs["metadata"]) | extra)
    made = stt_mram_joint.assemble(stt_mram_joint.gathered({"wer_counts": counts}, "A1"))
    found = stt_mram_joint.solved(made)
    assert found.names == ("delta", "i_c0_p_ap", "t_d")
    assert found.values["h_stray"] == 0.03
    assert found.values["i_c0_ap_p"] == pytest.approx(27 / 38 * found.values["i_c0_p_ap"])
    assert np.sqrt(found.covariance[2, 2]) < 0.001
    assert len(stt_mram_joint._covariance(made.unknowns, found)) == 4  # the tied one moves too
    named = {e.name: e for e in problem.estimates(made.unknowns, found)}
    assert named["i_c0_ap_p"].stderr == pytest.approx(27 / 38 * named["i_c0_p_ap"].stderr)


@pytest.mark.parametrize(
    ("master", "tied", "scale"),
    [
        ("delta", ("h_stray", 5e-4), 5e-4 * 60.0),  # dh/dln Delta
        ("delta", ("t_d", 2e-11), 1.0),  # dln t/dln Delta
        ("h_stray", ("t_d", 5e-8), 1 / 0.02),  # dln t/dh
    ],
)
def test_a_tied_parameter_has_the_covariance_of_its_own_coordinate(master, tied, scale):
    """As a result keeps it: of the value of h_stray, of the logarithm of all others."""
    value = {"delta": 60.0, "h_stray": 0.02}[master]
    name, factor = tied
    unknowns = (
        junction_unknowns._free(master, value),
        replace(junction_unknowns._free(name, None), tied=(master, factor)),
    )
    found = Found({master: value, name: factor * value}, (master,),
                  np.array([problem.coordinate(unknowns[0], value)]), np.array([[0.25]]),
                  0.0, 1, ())  # fmt: skip
    covariance = np.array(stt_mram_joint._covariance(unknowns, found))
    assert covariance == pytest.approx(0.25 * np.array([[1.0, scale], [scale, scale**2]]))


def test_table_bounds_the_error_rate_of_the_junction(tree, fitted):
    current = np.array([5e-5])
    made = stt_mram_joint.table(tree, fitted, {"pulse_current": current,
                                               "pulse_width": np.array([4e-9, 8e-9])})  # fmt: skip
    assert (made.ber_lo < made.ber).all()
    assert (made.ber < made.ber_hi).all()
    assert (made.ber_hi / made.ber_lo < 1.3).all()
    assert made.attrs["synthetic"] == 1
    volts = stt_mram_joint.table(tree, fitted, {"pulse_voltage": np.array([0.5]),
                                                "pulse_width": np.array([5e-9])})  # fmt: skip
    assert volts.ber.size == 1
    with pytest.raises(ParameterError, match="unknown axis of this recipe 'spread'"):
        stt_mram_joint.table(tree, fitted, {"spread": np.array([1.0])})
    with pytest.raises(DataError, match="a grid of currents and of voltages"):
        stt_mram_joint.table(tree, fitted, {"pulse_voltage": current, "pulse_current": current})


def test_write_errors_that_tell_nothing_are_refused_with_what_to_measure(tree):
    datasets = stt_mram_joint.datasets_of(tree)
    for kind in {"wer_counts", "wer_counts_voltage"} & set(datasets):
        datasets[kind] = datasets[kind].assign(n_errors=0 * datasets[kind].n_errors)
    silent = stt_mram_joint.gathered(datasets, "x")
    with pytest.raises(FitError, match="every pulse of 1 device worked; measure shorter pulses"):
        stt_mram_joint.assemble(silent)


def test_result_survives_json_and_gives_the_junction(fitted, tmp_path):
    fit_result.write(fitted, tmp_path / "fit.json")
    again = fit_result.read(tmp_path / "fit.json")
    assert fit_result.to_json(again) == fit_result.to_json(fitted)
    assert stt_mram_joint.junction(again).h_stray == fitted["h_stray"].value
    with pytest.raises(DataError, match="the fit has no delta"):
        stt_mram_joint.junction(fit_result.FitResult("x", "0", (), (), {}))


def test_a_folder_of_files_is_read_as_it_was_written(data, tmp_path):
    for kind in QUICK[:3]:
        tidy_csv.write(data[kind], tmp_path / f"{kind}.csv")
    tree = recipe("stt_mram_joint").read(tmp_path)
    assert list(tree.children) == list(QUICK[:3])
    assert tree.attrs["kind"] == "junction_data"
    assert len(tree.attrs["sha256"]) == 64
    found = tree["wer_counts"].to_dataset()
    assert found.n_errors.values.tolist() == data["wer_counts"].n_errors.values.tolist()
    (tmp_path / "wer_counts.csv").rename(tmp_path / "again.csv")
    assert stt_mram_joint.read(tmp_path).attrs["sha256"] != tree.attrs["sha256"]


def test_refuses_folders_that_are_not_one_device(data, tmp_path):
    with pytest.raises(DataError, match=r"no such folder"):
        stt_mram_joint.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no file \*.csv"):
        stt_mram_joint.read(tmp_path)
    for name in ("a.csv", "b.csv"):
        tidy_csv.write(data["wer_counts"], tmp_path / name)
    with pytest.raises(DataError, match=r"b.csv: data of kind 'wer_counts'.*one file"):
        stt_mram_joint.read(tmp_path)
    other = data["retention_counts"].copy()
    other["device"] = other.device.copy(data=np.full(other.sizes["point"], "B7"))
    with pytest.raises(DataError, match="devices B7, synthetic-A1"):
        stt_mram_joint.gathered({**data, "retention_counts": other}, "A1")
    hot = data["wer_counts"].copy()
    hot.attrs["metadata"] = json.dumps({"temperature_K": "350"})
    with pytest.raises(DataError, match=r"temperature_K: .* in synthetic"):
        stt_mram_joint.gathered({**data, "wer_counts": hot}, "A1")


def test_refuses_an_error_of_resistance_that_is_none(data):
    loop = data["resistance_loop"].copy()
    loop.attrs["metadata"] = json.dumps({"temperature_K": "300", "resistance_error": "3 %"})
    with pytest.raises(DataError, match="resistance_error = '3 %'"):
        stt_mram_joint.assemble(stt_mram_joint.gathered({"resistance_loop": loop}, "A1"))
