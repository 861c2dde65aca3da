"""What moves prices before anyone is liquidated: one process a file, one interface, and a shock that overlays any of them."""

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
