"""The grid of log-prices on which a ladder is tabulated."""

import equinox as eqx
import jax.numpy as jnp


class Grid(eqx.Module):
    r"""Distances from the initial price, dense near it: $d(x) = a x + b x^2$ at the cells' edges `x = 0 ... cells`.

    A quadratic grid needs one square root to find a cell, no search.

    **Arguments**, static: `cells`; `first_step`: width of the first cell, log price; `reach`: distance of the last edge.

    A position's trigger is shared among the three cells about its own price, so that the mean is right and no quantity is
    triggered further than two cells (`width`) from it: the error of an expectation is of second order in the width.

    >>> grid = Grid()
    >>> round(float(grid.width(0.10)), 5), round(float(grid.width(0.01)), 5)
    (0.00069, 0.00029)
    """

    cells: int = eqx.field(static=True, default=2048)
    first_step: float = eqx.field(static=True, default=2e-4)
    reach: float = eqx.field(static=True, default=5.0)

    @property
    def _a(self) -> float:
        return self.first_step

    @property
    def _b(self) -> float:
        return (self.reach - self.first_step * self.cells) / self.cells**2

    def coordinate(self, distance):
        """Where a distance (log price, clipped to `[0, reach]`) lies, in cells."""
        distance = jnp.clip(distance, 0.0, self.reach)
        # this form of the root of a quadratic does not cancel near zero
        return 2.0 * distance / (self._a + jnp.sqrt(self._a**2 + 4.0 * self._b * distance))

    def distance(self, coordinate):
        """The inverse of `coordinate`."""
        return self._a * coordinate + self._b * coordinate**2

    def cells_within(self, distance: float) -> int:
        """How many whole cells lie within a distance, static.

        >>> Grid().cells_within(5.0)
        2048
        """
        edges = [self._a * x + self._b * x**2 for x in range(1, self.cells + 1)]
        return sum(bool(edge <= distance * (1.0 + 1e-12)) for edge in edges)

    def width(self, distance):
        """Width of the cell at a distance, log price."""
        return jnp.sqrt(self._a**2 + 4.0 * self._b * distance)
