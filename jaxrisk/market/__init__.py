"""What moves prices before anyone is liquidated: one process a file, one interface, and a shock that overlays any of them.

Start with `base` (what a process offers: its state at the start, the draws that a step takes, and the step) and `gbm`, the
shortest. Noise is an argument of a step: a process draws nothing itself. `start` is from where a path starts, `filter` what
prices up to a moment say about that, `given` a beginning that is known.
"""

from .base import AbstractMarket, Move, NoiseShape
from .bootstrap import Bootstrap
from .garch import Garch
from .gbm import GBM
from .given import Given
from .heston import Bates, Heston
from .jumps import Kou, Merton, jumps_needed
from .log_variance import LogVariance
from .replay import Replay
from .shock import Shock
from .start import Cloud, Factors, Stationary

__all__ = [
    "GBM",
    "AbstractMarket",
    "Bates",
    "Bootstrap",
    "Cloud",
    "Factors",
    "Garch",
    "Given",
    "Heston",
    "Kou",
    "LogVariance",
    "Merton",
    "Move",
    "NoiseShape",
    "Replay",
    "Shock",
    "Stationary",
    "jumps_needed",
]
