"""What every answer can do, whatever was asked: say what was found, as a table, as data, on the disk, as pictures, as a card.

An answer of any kind has `summary()`, `to_dataframe()`, `to_xarray()`, `save(path)`, `load(path)`, `plot`, and a card that a
notebook shows. Its class names nothing but its fields; tables, pictures and files are made of these when asked for, by the name
of the class.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from .plots import Plot


class Shown:
    """An answer with a table, a data frame, a dataset, files, pictures and a card, made by `jaxrisk.report` when asked for."""

    @property
    def kind(self) -> str:
        """Which kind of answer it is: the name of its class."""
        return type(self).__name__

    def summary(self) -> Any:
        """What was found, as a table, with what one should know beside it."""
        from .studies import summary

        return summary(self)

    def to_dataframe(self) -> "pd.DataFrame":
        """The table's plain numbers: fractions, USD and hours."""
        return self.summary().to_dataframe()

    def to_xarray(self) -> Any:
        """What was found, with named axes: an `xarray.Dataset`, or of a study an `xarray.DataTree`."""
        from .arrays import to_xarray

        return to_xarray(self)

    def save(self, path: str | os.PathLike) -> Path:
        """Write the answer as the ending says: `.json` with all of it, `.csv` with its table.

        **Raises:** `ValueError` for another ending; `OSError` in words, also where something stands there that is not ours.
        """
        from ..storage.study_files import save

        return save(self, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike) -> Any:
        """The answer in a `.json` that was saved: a `Record`, with the same table, data and pictures.

        **Raises:** `ValueError`, which names the file, where it holds another kind of answer or is damaged; `OSError`.
        """
        from ..page.answers import load_kind

        return load_kind(path, cls.__name__)

    @property
    def plot(self) -> "Plot":
        """What was found, drawn: `plot()` for a figure of all, `plot.NAME(ax=None)` for one picture."""
        from .plots import Plot

        return Plot(self, self.kind)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        from .card import card

        return card(self)


__all__ = ["Shown"]
