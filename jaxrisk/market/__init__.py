"""What moves prices before anyone is liquidated: one process a file, one interface."""

from jaxrisk.market.base import AbstractMarket, Move, NoiseShape
from jaxrisk.market.gbm import GBM
from jaxrisk.market.heston import Bates, Heston
from jaxrisk.market.jumps import Kou, Merton, jumps_needed

__all__ = ["GBM", "AbstractMarket", "Bates", "Heston", "Kou", "Merton", "Move", "NoiseShape", "jumps_needed"]
