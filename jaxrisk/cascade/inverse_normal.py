"""Standard normals from 32 random bits, in single precision: by inversion, with all bits in the tails."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from .._leaf import Array

_LOG = (0.13756538927555084, -0.1504942923784256, 0.1405421793460846, -0.16481579840183258, 0.2000732272863388)
_LOG += (-0.25004205107688904, 0.33333271741867065, -0.49999985098838806)
"""`(log(1 + f) - f) / f^2` for `f` between -1/3 and 1/3, highest power first; Chebyshev fit, error of the logarithm 2e-8."""

_ABOVE = (0.051258210092782974, 1.9646738767623901, 4.680362224578857, 6.426291465759277, 5.831001281738281)
_ABOVE += (3.580718994140625, 1.2533141374588013)
_BELOW = (0.12444771081209183, 1.0247656106948853, 1.1869053840637207, 2.2213141918182373, 0.7626028060913086, 1.0)
"""`sqrt(2) erfinv(x) / x` as a quotient of polynomials in `-log(1 - x^2) / 8` up to 22.3 / 8, highest power first: relative error
1.1e-8, by weighted least squares with the weights moved toward the largest errors until they level out. That the logarithm makes
both tails and the middle one smooth function is Giles's observation (2012, Approximating the erfinv function)."""


def normal_of_word(word) -> Float[Array, "..."]:
    """`ndtri((word + 1/2) / 2^32)` for a uint32, in float32: off by at most 1e-6, out to 6.3 standard deviations.

    The tail's own probability is what is rounded, not its distance from one.
    """
    upper = word >= jnp.uint32(2**31)
    nearer = jnp.where(upper, ~word, word).astype(jnp.int32).astype(jnp.float32)
    tail = (nearer + np.float32(0.5)) * np.float32(2.0**-32)
    centred = np.float32(1.0) - np.float32(2.0) * tail
    scaled = _log(np.float32(4.0) * tail * (np.float32(1.0) - tail)) * np.float32(-0.125)
    size = centred * _polynomial(_ABOVE, scaled) / _polynomial(_BELOW, scaled)
    return jnp.where(upper, size, -size)


def _log(x):
    """Natural logarithm of normal positive numbers: the exponent, and a polynomial on the fraction between 2/3 and 4/3."""
    bits = lax.bitcast_convert_type(x, jnp.int32)
    exponent = (bits - jnp.int32(0x3F2AAAAB)) >> 23
    f = lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32) - np.float32(1.0)
    return exponent.astype(jnp.float32) * np.float32(np.log(2.0)) + (f + f * f * _polynomial(_LOG, f))


def _polynomial(coefficients, x):
    value = np.float32(coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + np.float32(coefficient)
    return value


__all__ = ["normal_of_word"]
