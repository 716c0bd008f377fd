"""How the evidence on fits counts: an interval that is not there neither holds nor misses."""

import numpy as np
from devicephys.validation import fit_coverage


def test_a_missing_interval_is_a_share_of_its_own():
    truth = np.log(fit_coverage.DELTA)
    wide, off, none = (
        (truth, truth - 1, truth + 1), (truth, truth + 1, truth + 2), (truth, np.nan, np.nan),
    )  # fmt: skip
    _, share, coverage = fit_coverage._figures("x", np.array([wide, off, none, none]), False)
    assert (coverage.value, share.value) == (0.5, 0.5)
    assert "without an interval" in share.name
    _, share, coverage = fit_coverage._figures("x", np.array([wide, none]), True)
    assert not share.holds
    assert coverage.value == 1.0
    _, share = fit_coverage._figures("x", np.array([none]), False)  # no coverage of nothing
    assert share.value == 1.0
    assert share.holds
