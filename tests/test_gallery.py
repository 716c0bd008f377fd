"""Every script of the gallery runs, without a warning, and draws labelled axes."""

import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

SCRIPTS = sorted((Path(__file__).parent.parent / "docs" / "gallery").glob("plot_*.py"))


def test_the_gallery_is_there():
    assert len(SCRIPTS) >= 5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_script_draws_labelled_axes(script):
    matplotlib.use("Agg")
    plt.close("all")
    runpy.run_path(str(script))
    figures = [plt.figure(n) for n in plt.get_fignums()]
    assert figures
    for figure in figures:
        assert all(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)
        assert any(axes.has_data() for axes in figure.axes)
    plt.close("all")
