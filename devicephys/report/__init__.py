"""Validation report: from the files of a study run to one HTML page and its numbers as JSON."""

from devicephys.report.render import write
from devicephys.report.verdicts import check_claims

__all__ = ["check_claims", "write"]
