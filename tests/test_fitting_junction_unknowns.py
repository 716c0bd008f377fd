"""Parameters of a joint fit: what is free by the kinds present, and what headers decide."""

import numpy as np
import pytest
import xarray as xr

from devicephys.errors import DataError
from devicephys.fitting.junction_unknowns import needed, unknowns

T = 300.0


def dataset(**columns):
    return xr.Dataset({k: ("point", np.asarray(v)) for k, v in columns.items()},
                      attrs={"source": "x.csv"})  # fmt: skip


def writes(*directions, drive="current", level=5e-5):
    n = len(directions)
    widths, direction = np.tile([2e-9, 3e-9, 4e-9, 6e-9], n), np.repeat(directions, 4)
    zero = np.zeros(4 * n)
    return dataset(direction=direction, pulse_width=widths, temperature=zero + T,
                   n_trials=zero + 1e4, n_errors=np.tile([8000, 2500, 600, 30], n),
                   **{f"pulse_{drive}": zero + level})  # fmt: skip


LOOP = dataset(state=["P"] * 6 + ["AP"] * 6, voltage=np.tile(np.linspace(-0.3, 0.3, 6), 2),
               resistance=[4e3] * 6 + [8e3] * 6)  # fmt: skip
RNG = np.random.default_rng(1)
FIELDS = dataset(
    direction=["P->AP"] * 20 + ["AP->P"] * 20, field_rate=np.ones(40),
    switching_field=np.r_[RNG.normal(0.16, 0.005, 20), RNG.normal(0.14, 0.005, 20)],
)  # fmt: skip
BOTH = {"wer_counts": writes("P->AP", "AP->P")}


def chosen(datasets, header=None):
    found = unknowns(datasets, header or {}, T, "folder")
    return {u.name: u for u in found.unknowns}, found.notes


def free(made):
    return {name for name, u in made.items() if u.vary and u.tied is None}


def test_write_errors_free_what_they_tell():
    made, _ = chosen(BOTH)
    assert free(made) == {"delta", "i_c0_p_ap", "i_c0_ap_p", "t_d", "h_stray"}
    assert made["temperature"].value == T
    assert all(u.low < u.value < u.high for u in made.values())


def test_one_direction_does_not_tell_the_stray_field():
    made, notes = chosen({"wer_counts": writes("AP->P")})
    assert free(made) == {"delta", "i_c0_ap_p", "t_d"}
    assert made["h_stray"].value == 0
    assert notes == ("h_stray is taken as 0: no data tell it from the other parameters",)


def test_a_loop_frees_resistances_and_fields_the_anisotropy():
    made, _ = chosen({**BOTH, "resistance_loop": LOOP, "switching_fields": FIELDS})
    assert {"r_p", "tmr", "v_h", "h_k"} < free(made)
    assert made["r_p"].value == pytest.approx(4e3)
    assert made["tmr"].value == pytest.approx(1.0)
    assert made["h_stray"].value > 0  # P->AP needs more field
    assert needed({"switching_fields": FIELDS}) == ("delta", "t_d", "h_k")


def test_voltages_need_a_resistance_from_somewhere():
    data = {"wer_counts_voltage": writes("P->AP", "AP->P", drive="voltage", level=0.5)}
    with pytest.raises(DataError, match=r"folder: nothing tells r_p, tmr, v_h.*# r_p_ohm"):
        chosen(data)
    made, notes = chosen(data, {"r_p_ohm": "4e3", "tmr": "1.2", "v_h_V": "0.5"})
    assert not made["r_p"].vary
    assert "r_p is given by the header: no data tell it" in notes


def test_headers_fix_tie_and_know():
    made, notes = chosen(
        BOTH,
        {
            "fixed_h_stray": "0.02 Hall bar of the same film",
            "tied_i_c0_ap_p": "0.7 i_c0_p_ap efficiencies of the wafer",
            "prior_t_d": "1e-9 0.1 ferromagnetic resonance of the film",
            "bloch": "2e-5",
        },
    )
    assert free(made) == {"delta", "i_c0_p_ap", "t_d"}
    assert made["h_stray"].value == 0.02
    assert made["i_c0_ap_p"].tied == ("i_c0_p_ap", 0.7)
    assert made["t_d"].prior.sigma == 0.1
    assert made["bloch"].value == 2e-5
    assert "t_d is known beforehand as 1e-09 +- 0.1: ferromagnetic resonance of the film" in notes
    assert "i_c0_ap_p is 0.7 times i_c0_p_ap: efficiencies of the wafer" in notes


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"fixed_h_stray": "0.02"}, "fixed_h_stray: '0.02' .too few words"),
        ({"fixed_h_stray": "much because"}, "metadata fixed_h_stray: 'much'"),
        ({"prior_lam": "1.5 0.1 a paper"}, "unknown parameter 'lam'"),
        ({"prior_t_d": "1e-9 few of the film"}, "prior_t_d"),
        ({"prior_t_d": "1e-9"}, "prior_t_d"),
        ({"tied_t_d": "2"}, "tied_t_d"),
        ({"tied_t_d": "2 h_k wafer"}, "nothing tells h_k"),
        ({"prior_t_d": "5 0.1 of the film"}, "folder: prior of t_d = 5 s"),
        ({"bloch": "small"}, "metadata bloch: 'small'"),
        (
            {"fixed_t_d": "1e-9 a paper", "prior_t_d": "1e-9 0.1 of the film"},
            "folder: metadata fixed_t_d and prior_t_d: t_d cannot be both; expected one of them",
        ),
        (
            {"tied_i_c0_ap_p": "0.7 i_c0_p_ap wafer", "prior_i_c0_ap_p": "2e-5 0.1 a sister cell"},
            "metadata tied_i_c0_ap_p and prior_i_c0_ap_p",
        ),
    ],
)
def test_refuses_headers_that_it_cannot_follow(header, message):
    with pytest.raises(DataError, match=message):
        chosen(BOTH, header)


def test_a_header_can_give_what_no_data_tell():
    data = {"wer_counts_voltage": writes("P->AP", drive="voltage", level=0.5)}
    made, _ = chosen(
        data,
        {
            "prior_r_p": "4e3 0.02 cross section of the pillar",
            "fixed_tmr": "1.2 film",
            "fixed_v_h": "0.5 film",
            "fixed_i_c0_ap_p": "2e-5 a sister cell",
        },
    )
    assert free(made) == {"delta", "i_c0_p_ap", "t_d", "r_p"}
    assert made["r_p"].log
    assert made["i_c0_ap_p"].value == 2e-5


def test_the_attempt_rate_must_come_from_somewhere():
    stored = dataset(state=["P", "AP"], wait_time=[1e3, 1e3], temperature=[400.0, 400.0],
                     n_trials=[1000, 1000], n_errors=[100, 200])  # fmt: skip
    with pytest.raises(DataError, match="nothing tells t_d"):
        chosen({"retention_counts": stored})
    made, _ = chosen({"retention_counts": stored}, {"fixed_t_d": "1e-9 pulses of a sister cell"})
    assert free(made) == {"delta", "h_stray"}


def test_refuses_a_loop_of_one_state():
    with pytest.raises(DataError, match=r"x.csv: no resistance of state AP"):
        chosen({"resistance_loop": LOOP.isel(point=slice(0, 6))})
