"""How the answers of studies are shown, and what they are turned into."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Shown:
    """An answer with a table, a data frame and a figure, made by `jaxrisk.report` when asked for."""

    def summary(self) -> Any:
        """What was found, as a table, with what one should know beside it."""
        from ..report.studies import summary

        return summary(self)

    def to_dataframe(self) -> "pd.DataFrame":
        """The table's plain numbers: fractions, USD and hours."""
        return self.summary().to_dataframe()

    def plot(self) -> "Figure":
        """What was found, drawn."""
        from ..report.study_plots import plot

        return plot(self)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


__all__ = ["Shown"]
