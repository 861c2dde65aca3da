"""Monte Carlo risk of leveraged markets: margin checks, forced liquidations, their feedback on the price, and the tail.

The names below are the public ones; they are imported when first used, so that the command line answers at once.
"""

from importlib import import_module

_ROOMS = {
    "market": "Bates Bootstrap GBM Garch Heston Kou LogVariance Merton Replay Shock",
    "positions": "Accounts Histogram Limits LiquidationMap Lognormal Tiers",
    "cascade": "Impact LinearImpact PowerImpact TableImpact Venues path_losses prepare seed_key",
    "scenario": "Scenario Settings",
    "config": "ConfigError check load schema",
    "batch": "NonFinite simulate simulate_many use_compilation_cache",
    "report": "Result",
    "report.bar": "progress_bar",
    "risk.measure": "Measure",
    "parameter": "parameters",
    "studies.sensitivity": "sensitivity",
    "studies.reverse_stress": "reverse_stress",
    "studies.rare_event": "rare_event",
    "studies.design": "design_limits",
    "studies.study": "study",
    "studies.attribution": "attribute",
    "studies.warning": "warning",
}
_PUBLIC = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'jaxrisk' has no attribute '{name}'")
    return getattr(import_module(f"jaxrisk.{_PUBLIC[name]}"), name)


def __dir__():
    return __all__
