"""What is asked of a run: a statistic of an observable at a level, in one object that can be written as text."""

import difflib
import math
import re
from typing import Any, NamedTuple

from ..observables import OBSERVABLES, describe, unknown
from . import tail
from .estimate import Estimate

STATISTICS = ("mean", "quantile", "value_at_risk", "expected_shortfall", "exceedance_probability")
OF_RESULTS = ("expectile", "mean_excess", "exceedance_curve")
"""What a result can be asked for, but neither differentiated nor designed for."""


class Measure(NamedTuple):
    """A statistic of an observable.

    **Fields:** `observable`: address of one number a path, `max_drawdown_index` or `liquidated_notional[*,BTC,long]`;
    `statistic`: one of `STATISTICS`; `level`: probability in (0, 1), for an exceedance probability a loss; NaN for the mean.

    >>> Measure.of("expected_shortfall(max_drawdown_index, 0.99)")
    Measure(observable='max_drawdown_index', statistic='expected_shortfall', level=0.99)
    >>> print(Measure("open_interest_loss_usd", "mean"))
    mean(open_interest_loss_usd)
    """

    observable: str
    statistic: str = "expected_shortfall"
    level: float = math.nan

    @classmethod
    def of(cls, said: Any) -> "Measure":
        """A measure from its text, `statistic(observable, level)`, or from another; an observable alone means its mean.

        **Raises:** `ValueError` for text that is not of this form, an unknown statistic (with the nearest), or a level outside
        (0, 1).
        """
        if isinstance(said, Measure):
            return said.checked()
        match = re.fullmatch(r"\s*(\w+)\s*\(\s*(\w+(?:\[[^\]]*\])?)\s*(?:,\s*([^,()\s]+)\s*)?\)\s*", str(said))
        if match is None:
            alone = re.fullmatch(r"\s*(\w+(?:\[[^\]]*\])?)\s*", str(said))
            if alone is None:
                raise ValueError(f'measure "{said}": has to be like "expected_shortfall(max_drawdown_index, 0.99)"')
            return cls(alone[1], "mean")
        try:
            return cls(match[2], match[1], math.nan if match[3] is None else float(match[3])).checked()
        except ValueError as error:
            if str(error).startswith("measure"):
                raise
        wrong = [f'level "{match[3]}" is not a number', *cls(match[2], match[1], 0.5).wrong(others=True)]
        raise ValueError("\n".join(f'measure "{said}": {one}' for one in wrong))

    @property
    def base(self) -> str:
        """The observable without its labels."""
        return self.observable.partition("[")[0].strip()

    @property
    def stepped(self) -> bool:
        """Whether a path's derivative of it is zero, and no sensitivity."""
        return describe(self.base).stepped

    def checked(self) -> "Measure":
        """The measure itself, or a `ValueError` with a line on everything that is wrong with it."""
        if wrong := self.wrong():
            raise ValueError("\n".join(f'measure "{self}": {one}' for one in wrong))
        return self._replace(level=math.nan) if self.statistic == "mean" else self

    def wrong(self, others: bool = False) -> list[str]:
        """Everything that is wrong with it; an unknown observable only beside `others`: what a run has tells more."""
        wrong = []
        near = (*difflib.get_close_matches(self.statistic, STATISTICS, n=1, cutoff=0.5), "")[0]
        if self.statistic not in STATISTICS:
            guess = f' (did you mean "{near}"?)' if near else ""
            guess = " (only Result.measure has it)" if self.statistic in OF_RESULTS else guess
            wrong.append(f'no statistic "{self.statistic}"{guess}; there are {", ".join(STATISTICS)}')
        elif self.statistic != "mean" and math.isnan(self.level):
            wrong.append(f"{self.statistic} needs a level")
        if near not in ("", "mean", "exceedance_probability") and (self.level <= 0.0 or self.level >= 1.0):
            wrong.append(f"level {self.level:g} has to lie strictly between 0 and 1")
        if (wrong or others) and self.base not in OBSERVABLES:
            wrong.append(str(unknown("observable", self.base, OBSERVABLES)))
        return wrong

    def estimate(self, losses: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
        """Of one number a path, with its error; see `jaxrisk.risk.tail`."""
        arguments = () if self.statistic == "mean" else (self.level,)
        return getattr(tail, self.statistic)(losses, *arguments, log_weights=log_weights, confidence=confidence)

    def never_negative(self, book: str) -> bool:
        """Whether it cannot be below zero under this representation of positions."""
        base = self.base
        gains = describe(base).signed or (book == "flow" and base.startswith("open_interest_loss"))
        return self.statistic == "exceedance_probability" or (base in OBSERVABLES and not gains)

    def __str__(self) -> str:
        level = "" if math.isnan(self.level) else f", {self.level:g}"
        return f"{self.statistic}({self.observable}{level})"


__all__ = ["STATISTICS", "Measure"]
