"""The one look of all pictures: colours, sizes of letters, and axes that are given or made.

Colours are Okabe and Ito's, which colour-blind readers can tell apart. Matplotlib is imported when something is drawn.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"
GREY, INK, PALE = "#8A8A8A", "#2B2B2B", "#E6E6E6"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)

SIZES = {"page": 0.85, "notebook": 1.0, "slide": 1.5}
"""Letters and lines, over those of a notebook, for each place where a picture is shown."""
WIDE = (6.4, 4.0)
"""Inches of a picture of its own."""
_size: ContextVar[str] = ContextVar("size", default="notebook")
_POINTS = 10.0


@contextmanager
def sized(place: str) -> Iterator[None]:
    """Within it, pictures have letters and lines for a `"page"` in print, a `"notebook"` or a `"slide"`.

    **Raises:** `ValueError` for another place.

    >>> with sized("slide"):
    ...     _rc()["font.size"]
    15.0
    """
    if place not in SIZES:
        raise ValueError(f"a picture can be sized for {', '.join(SIZES)}, and not for {place!r}")
    token = _size.set(place)
    try:
        yield
    finally:
        _size.reset(token)


def _rc() -> dict[Any, Any]:
    scale = SIZES[_size.get()]
    return {
        "font.family": "DejaVu Sans", "font.size": _POINTS * scale, "axes.titlesize": "medium", "axes.titleweight": "bold",
        "axes.titlelocation": "left", "axes.labelsize": "medium", "figure.titlesize": "large", "figure.titleweight": "bold",
        "axes.edgecolor": GREY, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
        "xtick.labelsize": "small", "ytick.labelsize": "small", "axes.spines.top": False, "axes.spines.right": False,
        "axes.linewidth": 0.8 * scale, "axes.grid": True, "grid.color": PALE, "grid.linewidth": 0.7 * scale,
        "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": "small", "lines.linewidth": 1.6 * scale,
        "lines.markersize": 6.0 * scale, "figure.facecolor": "white", "savefig.facecolor": "white",
        "svg.hashsalt": "jaxrisk",
    }  # fmt: skip


def look() -> Any:
    """The context in which pictures are drawn."""
    import matplotlib

    return matplotlib.rc_context(_rc())


def figure_of(rows: int, columns: int, size: tuple[float, float], **more: Any) -> tuple["Figure", Any]:
    """A figure with a grid of axes; size in inches."""
    figure = _figure(size)
    return figure, figure.subplots(rows, columns, squeeze=False, **more)


def _figure(size: tuple[float, float]) -> "Figure":
    # A Figure of its own, not pyplot's: nothing to close, no display needed, safe in threads.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    class Drawn(Figure):
        """Shows itself in a notebook, whether or not pyplot was ever imported there."""

        def _repr_png_(self) -> bytes:
            return png(self)

    return Drawn(figsize=size, dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))


def png(figure: "Figure", dpi: float = 100.0) -> bytes:
    """The picture as it is shown inline."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, metadata={"Software": None})
    return drawn.getvalue()


def axes_of(ax: "Axes | None" = None, size: tuple[float, float] = WIDE) -> "Axes":
    """The axes that were given, with the one look; or those of a new figure, which a notebook shows when the cell is done."""
    if ax is not None:
        return _dressed(ax)
    if _in_notebook():
        from matplotlib import pyplot

        return pyplot.figure(figsize=size, layout="constrained").add_subplot()
    return figure_of(1, 1, size)[1][0, 0]


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def _dressed(axes: "Axes") -> "Axes":
    """What a style can no longer change in axes that exist."""
    rc = _rc()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=rc["xtick.labelsize"])
    axes.grid(True, color=rc["grid.color"], linewidth=rc["grid.linewidth"])
    axes.set_axisbelow(True)
    return axes


def nothing(axes: "Axes", text: str) -> "Axes":
    """Axes that say why there is nothing in them."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY, wrap=True)
    axes.set(xticks=[], yticks=[])
    return axes


def headed(figure: "Figure", text: str) -> None:
    """A title over the whole figure: over the axes alone a long one would be cut off."""
    figure.suptitle(text, x=0.012, ha="left")


def capital(text: str) -> str:
    """With a capital at the beginning.

    >>> capital("mean of a loss")
    'Mean of a loss'
    """
    return text[:1].upper() + text[1:]


def wrapped(text: str, letters: int = 52) -> str:
    """A title in lines of so many letters."""
    import textwrap

    return "\n".join(textwrap.wrap(capital(text), letters))


def percents(axis: "Axis", signed: bool = False) -> None:
    """Numbers of an axis, per cent, with their sign."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:+g}%" if signed and percent else f"{percent:g}%"))


__all__ = [
    "BLUE", "GREEN", "GREY", "INK", "ORANGE", "PALE", "PURPLE", "RED", "SERIES", "SIZES", "SKY", "WIDE", "YELLOW", "axes_of",
    "capital", "figure_of", "headed", "look", "nothing", "percents", "png", "sized", "wrapped",
]  # fmt: skip
