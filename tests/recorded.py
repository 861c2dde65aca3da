"""Where recorded data are that are no part of the project: tests of them are left out where there are none."""

import os
from pathlib import Path

DATA = Path(os.environ.get("JAXRISK_DATA") or Path(__file__).parents[1] / "../shared/data")
PRICES = DATA / "prices"
