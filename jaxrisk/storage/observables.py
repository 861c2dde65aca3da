"""Axes of what a result holds besides losses: whole paths, and curves."""

SAMPLES = {
    "price": ("assets",),
    "fundamental": ("assets",),
    "mark": ("venues", "assets"),
    "open_interest": ("venues", "assets"),
}
"""Axes of whole paths after `sample` and `sample_step`."""

CURVES = {"level": ("levels",), "value": ("assets", "levels")}
"""Axes of what does not depend on paths: the fragility map `value` at the log prices `level`."""


def sample_axes(name: str, dimensions: int) -> tuple[str, ...]:
    """Names of the axes of a sample array; those of an unknown array are numbered.

    >>> sample_axes("mark", 4)
    ('sample', 'sample_step', 'venues', 'assets')
    """
    known = ("sample", "sample_step", *SAMPLES.get(name, ()))
    numbered = ("sample", *(f"sample_{name}_axis_{place}" for place in range(1, dimensions)))
    return known if len(known) == dimensions else numbered


def curve_axes(name: str, dimensions: int) -> tuple[str, ...]:
    """Names of the axes of a curve; those of an unknown curve are numbered."""
    known = CURVES.get(name, ())
    return known if len(known) == dimensions else tuple(f"curve_{name}_axis_{place}" for place in range(dimensions))


__all__ = ["CURVES", "SAMPLES", "curve_axes", "sample_axes"]
