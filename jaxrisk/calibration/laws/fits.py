"""Fits of price laws: which there are."""

from ...data.price_file import PriceFile
from ...problems import ConfigError, Problem, nearest, written
from .bates import fit_bates
from .bootstrap import fit_bootstrap
from .fit import LawFit, NotFitted, sample_of
from .garch import fit_garch
from .merton import fit_merton

_FITS = {"bates": fit_bates, "merton": fit_merton, "garch": fit_garch, "bootstrap": fit_bootstrap}
PROCESSES = tuple(_FITS)


def fit_law(prices: PriceFile, process: str, *, start=None, end=None) -> LawFit:
    """Fit a price law to hourly returns.

    **Arguments:** `prices`: bars that divide an hour; `process`: one of `PROCESSES`; `start`, `end`: only what closed after the
    one and not after the other, UTC; None for no bound.

    What cannot be fitted or identified is no error: the answer says so in `converged` and `problems`. Raises `ConfigError` for a
    process that is not known.
    """
    if process not in PROCESSES:
        problem = Problem(
            "command line", "process", written(process), f"one of {', '.join(PROCESSES)}", nearest(process, PROCESSES)
        )
        raise ConfigError([problem])
    part = prices.between(start, end)
    try:
        return _FITS[process](part)
    except NotFitted as error:
        return LawFit(process, {}, {}, False, (str(error),), {}, sample_of(part), "nothing was fitted")


__all__ = ["PROCESSES", "LawFit", "fit_law"]
