"""Results and how they are shown: tables, plots, files."""

from .place import writable
from .result import Result
from .table import Summary
from .writer import ResultWriter

__all__ = ["Result", "ResultWriter", "Summary", "writable"]
