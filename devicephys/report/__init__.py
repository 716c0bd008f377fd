"""Reports as one HTML page: of a study run, with its numbers as JSON, and of a single fit."""

from devicephys.report.fit_page import fit_html
from devicephys.report.render import write
from devicephys.report.verdicts import check_claims

__all__ = ["check_claims", "fit_html", "write"]
