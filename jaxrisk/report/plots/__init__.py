"""Pictures of answers. `answer.plot()` draws the whole of one; `answer.plot.NAME(ax=None)` one picture, into axes that are given
or made, and returns the axes; `dir(answer.plot)` says which there are.

Each answer has a module here, or beside its engine: `whole(answer)` makes the figure, `PICTURES` names the pictures, and the
first of them stands in a notebook's card. `style` holds the one look; within `sized("slide")` letters are a slide's.
"""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .style import SIZES, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODULES = {
    "Result": "jaxrisk.report.plots.run",
    "Study": "jaxrisk.report.plots.study",
    "OverRanges": "jaxrisk.report.plots.ranges",
    "Sensitivities": "jaxrisk.report.plots.sensitivity",
    "ReverseStress": "jaxrisk.report.plots.stress",
    "RareEvent": "jaxrisk.report.plots.rare",
    "Design": "jaxrisk.report.plots.design",
    "Attribution": "jaxrisk.report.plots.attribution",
    "Attributions": "jaxrisk.report.plots.unwind",
    "Maturity": "jaxrisk.report.plots.maturity",
    "Warned": "jaxrisk.report.plots.warning",
    "Calibration": "jaxrisk.report.plots.calibration",
    "Backtest": "jaxrisk.backtest.events.plot",
    "DayTest": "jaxrisk.backtest.days.plot",
    "ReplayCheck": "jaxrisk.backtest.replay.plot",
}
"""Where the pictures of each kind of answer are, by the name of its class."""
_CARD, _CARD_DPI = (5.2, 3.2), 120.0
"""Inches, and points an inch, of the picture in a card."""


class Plot:
    """The pictures of one answer: called it draws the whole, and each picture is an attribute.

    **Arguments:** `answer`; `kind`: the name of its class, a key of `MODULES`.
    """

    def __init__(self, answer: Any, kind: str):
        self._answer, self._kind = answer, kind

    def __call__(self) -> "Figure":
        return self._module.whole(self._answer)

    def _inline(self) -> bytes:
        """The first picture, small, as the PNG of a card."""
        from .style import figure_of, look, png

        with look():
            figure, grid = figure_of(1, 1, _CARD)
            next(iter(self._module.PICTURES.values()))(self._answer, ax=grid[0, 0])
            return png(figure, _CARD_DPI)

    @property
    def _module(self) -> Any:
        if self._kind not in MODULES:
            raise AttributeError(f"there are no pictures of a {self._kind}")
        return import_module(MODULES[self._kind])

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        pictures = self._module.PICTURES
        if name not in pictures:
            from ...observables import unknown

            raise AttributeError(str(unknown("picture", name, pictures)))
        draw = pictures[name]
        return functools.update_wrapper(functools.partial(draw, self._answer), draw)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._module.PICTURES]

    def __repr__(self) -> str:
        return f"plot() draws all; plot.NAME(ax=None) one of: {', '.join(self._module.PICTURES)}"


__all__ = ["MODULES", "SIZES", "Plot", "sized"]
