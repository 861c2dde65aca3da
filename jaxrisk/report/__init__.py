"""Results and how they are shown: tables, pictures, cards in notebooks.

Start at `shown`: what every answer can do, a run's `Result` and those of studies, attributions and back-tests alike. Each step of
it has a place of its own: tables in `summary` and `studies`, data in `arrays`, pictures in `plots`, a notebook's card in `card`.
Files are in `storage`, pages in `page`.
"""

from .result import Result
from .shown import Shown
from .table import Summary

__all__ = ["Result", "Shown", "Summary"]
