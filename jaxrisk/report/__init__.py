"""Results and how they are shown: tables and plots. Start with `result`; files are in `storage`, pages in `page`."""

from .result import Result
from .table import Summary

__all__ = ["Result", "Summary"]
