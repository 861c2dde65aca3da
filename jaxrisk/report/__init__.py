"""Results and how they are shown: tables, pictures, files, cards in notebooks, pages.

Start at `shown.py`: what every answer can do, a run's `Result` and those of studies, attributions and back-tests alike. Each
step of it has a place of its own: tables `summary.py` and `studies.py`, data `arrays.py`, files `study_files.py` and
`answers.py`, pictures `plots/`, a notebook's card `card.py`, the page that `jaxrisk report` writes `page/`.
"""

from .place import writable
from .result import Result
from .shown import Shown
from .table import Summary
from .writer import ResultWriter

__all__ = ["Result", "ResultWriter", "Shown", "Summary", "writable"]
