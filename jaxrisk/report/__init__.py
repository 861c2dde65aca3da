"""Results and how they are shown: tables, plots, files."""

from jaxrisk.report.result import Result
from jaxrisk.report.table import Summary
from jaxrisk.report.writer import ResultWriter

__all__ = ["Result", "ResultWriter", "Summary"]
