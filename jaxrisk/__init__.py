"""Monte Carlo risk of leveraged markets: margin checks, forced liquidations, their feedback on the price, and the tail.

The names below are the public ones; they are imported when first used, so that the command line answers at once.
"""

from importlib import import_module

_PUBLIC = {
    "Bates": "market",
    "Bootstrap": "market",
    "GBM": "market",
    "Garch": "market",
    "Heston": "market",
    "Kou": "market",
    "Merton": "market",
    "Replay": "market",
    "Shock": "market",
    "Impact": "cascade",
    "Venues": "cascade",
    "Limits": "positions",
    "Tiers": "positions",
    "Scenario": "scenario",
    "ConfigError": "config",
    "NonFinite": "batch",
    "Result": "report",
    "check": "config",
    "load": "config",
    "schema": "config",
    "simulate": "batch",
    "use_compilation_cache": "batch",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'jaxrisk' has no attribute '{name}'")
    return getattr(import_module(f"jaxrisk.{_PUBLIC[name]}"), name)


def __dir__():
    return __all__
