"""What moves prices before anyone is liquidated: one process a file, one interface, and a shock that overlays any of them."""

from jaxrisk.market.base import AbstractMarket, Move, NoiseShape
from jaxrisk.market.bootstrap import Bootstrap
from jaxrisk.market.garch import Garch
from jaxrisk.market.gbm import GBM
from jaxrisk.market.heston import Bates, Heston
from jaxrisk.market.jumps import Kou, Merton, jumps_needed
from jaxrisk.market.replay import Replay
from jaxrisk.market.shock import Shock

__all__ = [
    "GBM",
    "AbstractMarket",
    "Bates",
    "Bootstrap",
    "Garch",
    "Heston",
    "Kou",
    "Merton",
    "Move",
    "NoiseShape",
    "Replay",
    "Shock",
    "jumps_needed",
]
