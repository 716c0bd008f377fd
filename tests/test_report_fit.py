"""The report of a fit: the numbers of the result, flags first, figures of what is there."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from devicephys.fits import sot_mtj_switching as recipe
from scipy import special

from devicephys import plotting_fit
from devicephys.fitting import result as fit_result
from devicephys.fitting.result import DeviceFit, Estimate, FitResult
from devicephys.report import fit_html
from devicephys.report.fit_page import figures
from devicephys.report.verdicts import of_fit
from devicephys.units import si

OUTSIDE = ("http://", "https://", "<script", "@import", "url(http", "<link")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A fit of two devices, one of which stands still at 0.7, and its points beside the model."""
    rng = np.random.default_rng(4)
    lines = ["device_id,direction,V,t_p,P_sw,n_reps"]
    for device, direction, v_50 in (("X", "P->AP", 0.90), ("X", "AP->P", 0.95),
                                    ("Y", "AP->P", 0.92)):  # fmt: skip
        for v in np.linspace(0.78, 1.08, 16):
            p = special.ndtr((v - v_50) / 0.03)
            p = min(p, 0.7) if device == "Y" and v < 1.05 else p
            lines.append(f"{device},{direction},{v:.2f},7.5e-10,{rng.binomial(400, p) / 400},400")
    path = tmp_path_factory.mktemp("sot") / "made.csv"
    path.write_text("\n".join(lines) + "\n")
    dataset = recipe.read(path)
    fit = recipe.fit(dataset, np.random.default_rng(1), lambda done, total: None)
    fit = replace(fit, seed=1)
    return fit, recipe.check(dataset, fit, np.random.default_rng(2))


@pytest.fixture(scope="module")
def page(fitted):
    return fit_html(*fitted, "devicephys fit sot_mtj_switching made.csv -o fit.json --seed 1")


def text_of(page):
    """The page as a reader sees it: no figures, no tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", page, flags=re.S)).split())


def test_the_page_stands_alone_and_says_where_it_comes_from(fitted, page):
    fit, _ = fitted
    plain = re.sub(r'(xmlns(:xlink)?|rdf:\w+)="[^"]*"', "", page)  # names, not addresses
    plain = re.sub(r"<metadata>.*?</metadata>", "", plain, flags=re.S)
    for outside in OUTSIDE:
        assert outside not in plain
    text = text_of(page)
    for said in (
        "Fit of made.csv",
        fit.data["sha256"],
        "seed 1",
        fit.version,
        "devicephys fit sot",
    ):
        assert said in text
    assert "Synthetic" not in text
    assert not re.search(r"\b(nan|inf|None)\b", text)
    assert "@media print" in page


def test_the_numbers_of_the_page_are_those_of_the_result(fitted, page):
    stored = json.loads(fit_result.to_json(fitted[0]))
    text = text_of(page)
    for e in stored["estimates"]:
        low, high = (si(e[end], e["unit"], 4).split()[0] for end in ("low", "high"))
        row = rf"{e['name']} {re.escape(si(e['value'], e['unit'], 4))} \S+ \S+ {low} to {high} mV"
        assert re.search(row, text), row
    assert f"deviance / degrees of freedom {stored['deviance']:.1f} / {stored['dof']}" in text
    assert "points 48" in text
    assert "trials 19 200" in text


def test_flags_come_before_every_number(fitted, page):
    fit, check = fitted
    assert any(flag.startswith("Plateau: device Y") for flag in fit.flags)
    text = text_of(page)
    for flag in fit.flags:
        assert 0 < text.replace("&gt;", ">").index(flag) < text.index("Verdicts")
    assert "FAIL" in text
    assert "Red rings" in text
    assert check.flagged.any()
    quiet = fit_html(replace(fit, flags=()), check, "x")
    assert "Read before use" not in quiet


def test_figures_show_what_is_there_and_name_their_units(fitted, page):
    fit, check = fitted
    assert page.count("<svg") == 4  # points, residuals, devices, correlations
    profiles = {"X": {"v_50_X_p_ap": ((0.88, 5.0), (0.9, 0.0), (0.92, 6.0))}}
    assert len(figures(replace(fit, profiles=profiles), check, whole=True)) == 5
    assert len(figures(fit, check, whole=False)) == 3
    for figure in (
        plotting_fit.points_figure(check, False),
        plotting_fit.residuals_figure(check),
        plotting_fit.devices_figure(fit),
        plotting_fit.profiles_figure(replace(fit, profiles=profiles)),
    ):
        for axes in figure.axes:
            assert "[" in axes.get_xlabel()
        assert "[" in figure.axes[0].get_ylabel() or figure.axes[0].get_ylabel() == "device"
    *_, line = plotting_fit.profiles_figure(replace(fit, profiles=profiles)).axes[0].lines
    assert line.get_ydata()[0] == pytest.approx(3.8415, abs=1e-4)


def test_points_are_drawn_with_their_limits_and_marks(fitted):
    _, check = fitted
    _, panel = plotting_fit.points_figure(check, False).axes  # AP->P
    mine = check.isel(point=np.flatnonzero(check.direction.values == "AP->P"))
    rings = panel.lines[-1]
    assert len(rings.get_xdata()) == int(mine.flagged.sum()) > 0
    limits = {m: [x for x in panel.lines if x.get_marker() == m] for m in "v^"}
    shown = sum(len(x.get_xdata()) for x in limits["^"])
    assert shown == int((mine.n_errors == 0).sum()) > 0
    highest = max(float(y) for x in limits["v"] for y in x.get_ydata())
    assert highest == pytest.approx(1 - 0.05 ** (1 / 400), rel=1e-9)  # none of 400


def test_other_intervals_stand_beside_and_open_ends_are_said(fitted):
    fit, check = fitted
    name = fit.estimates[0].name
    other = {"profile likelihood": {name: (0.8881, np.inf)}, "bootstrap": {name: (0.8882, 0.9112)}}
    text = text_of(fit_html(replace(fit, intervals=other), check, "x"))
    assert "profile likelihood bootstrap" in text
    assert "above 888.1 mV 888.2 to 911.2 mV" in text


def test_a_recipe_that_only_describes_gives_tables(capsys):
    estimates = (
        Estimate("r_lrs", 6035.0, 10.0, 6015.0, 6055.0, "Ohm", "R"),
        Estimate("n_sites", 60.0, 0.0, 60.0, 60.0, "1", "N", vary=False),
    )
    data = {"source": "ramps.csv", "sha256": "0" * 64, "synthetic": True, "ramps": 500,
            "truth": {"truth_r_lrs": 6030.0, "truth_n_sites": 59.0}}  # fmt: skip
    fit = FitResult("hfo2_staircase", "0", estimates, (), data)
    page = fit_html(fit, None, "x")
    assert "<svg" not in page
    text = text_of(page)
    assert "Synthetic data." in text
    assert "6.035 kOhm 10 Ohm 6.015 to 6.055 kOhm 6.03 kOhm" in text
    assert "n_sites 60 given 59" in text
    assert [v.verdict for v in of_fit(fit)] == ["PASS"]  # what was given is not judged


def test_one_device_is_judged_by_its_own_truth_only():
    e = Estimate("delta", 60.0, 1.0, 58.0, 62.0, "1", r"\Delta")
    device = DeviceFit("A", {"delta": 60.0}, {"delta": 1.0}, 3.0, 5, 0.5)
    data = {"truth": {"truth_delta": 70.0}}
    one = FitResult("x", "0", (e,), ((1e-4,),), data, (device,), 3.0, 5, 0.5, between=((0.0,),))
    *_, verdict = of_fit(one)
    assert verdict.verdict == "NOT ESTABLISHED"
    assert verdict.found.startswith("not judged: one device, and the header tells the truth of")
    own = {"truth": {"truth_delta": 70.0, "truth_delta_A": 61.0}}
    assert of_fit(replace(one, data=own))[-1].verdict == "PASS"
    for other in (replace(one, devices=(device,) * 8), replace(one, between=())):
        assert of_fit(replace(other, data=own))[-1].found == "outside: delta"


def test_a_device_at_a_bound_is_marked_and_no_probability_is_no_verdict():
    e = Estimate("delta", 60.0, 1.0, 58.0, 62.0, "1", r"\Delta", spread=0.03)
    device = DeviceFit("A", {"delta": 200.0}, {"delta": 1.0}, 3.0, 5, 0.5, ("delta",))
    fit = FitResult("x", "0", (e,), ((1e-4,),), {"source": "a", "sha256": "", "synthetic": False},
                    devices=(device,), deviance=3.0, dof=5, p_value=0.4)  # fmt: skip
    assert '200 &plusmn; 1 <span class="FAIL">at bound</span>' in fit_html(fit, None, "x")
    assert [v.verdict for v in of_fit(fit)] == ["FAIL"]
    free = replace(fit, devices=(replace(device, at_bound=()),), p_value=np.nan)
    assert [v.verdict for v in of_fit(free)] == ["NOT ESTABLISHED"]
    alone = replace(free, devices=(replace(device, p_value=np.nan),))  # fitted with the others
    assert "3.0 / 5" in fit_html(alone, None, "x")
