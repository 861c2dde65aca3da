r"""A tilted law of the noise, to sample rare paths from, and the weights that make up for it.

Component $k$ of a mixture moves the mean of every step's normals by a smooth profile in time, lets sources of jumps jump at
another rate, and moves the size of a jump where there is one. All the rest of the noise is the scenario's own. One component is
the scenario's law itself, so that no weight exceeds one over its share (Hesterberg, 1995, *Weighted average importance sampling
and defensive mixture distributions*). A path's weight is $dP/dQ$ of the whole mixture,

$$\log w = -\log\sum_k \pi_k \exp\Big(\sum_{bd} c_{kbd} T_{bd} - \tfrac12 |c_k|^2
   + \sum_j \Big(N_j \log\frac{p'_{kj}(1 - p_j)}{p_j(1 - p'_{kj})} + s_{kj} S_j - \tfrac12 N_j s_{kj}^2
   + n\log\frac{1 - p'_{kj}}{1 - p_j}\Big)\Big)$$

with the projections $T_{bd} = \sum_t \varphi_b(t) z_d(t)$ of the normals on the profiles, the number $N_j$ of steps at which
source $j$ jumps, the sum $S_j$ of the normals that size those jumps, and $n$ steps. These few sums are all that is kept of a
path, and all that the next proposal is fitted to.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..._leaf import Array
from ...cascade.noise import uniform, words
from ...cascade.source import AbstractSource, draw, first_uniforms
from ...cascade.state import Noise, Prepared
from .drivers import Drivers, cosines, placed, replaced

DEFENSIVE = 0.1
"""Share of the scenario's own law in a mixture."""


class Proposal(NamedTuple):
    """A mixture of tilted laws; float64 on the host.

    **Fields:** `share`: probability of each component, shape `(components,)`; `shift`: coefficients of the normals' means on the
    profiles, shape `(components, profiles, normals)`; `jump_probability`: of a jump at a step, shape `(components, sources)`;
    `size_shift`: shift of the normals that size the jumps, same shape.
    """

    share: np.ndarray
    shift: np.ndarray
    jump_probability: np.ndarray
    size_shift: np.ndarray

    @classmethod
    def own_law(cls, driven: Drivers, profiles: int) -> "Proposal":
        """The scenario's own law, as a mixture of one."""
        sources = len(driven.jump_uniforms)
        own = driven.survival[None, :, 0]
        return cls(np.ones(1), np.zeros((1, profiles, len(driven.normals))), own, np.zeros((1, sources)))


class Sums(NamedTuple):
    """What the weights need of a path, and what a path carries of the component that it was drawn from."""

    projection: Float[Array, "profiles normals"]
    jumps: Float[Array, " sources"]
    sizes: Float[Array, " sources"]
    shift: Float[Array, "profiles normals"]
    jump_probability: Float[Array, " sources"]
    size_shift: Float[Array, " sources"]


class Tilted(AbstractSource):
    """Noise from a `Proposal`: a path's component is drawn from its counters. `losses` are `log_weight`, log(dP/dQ), and with
    `statistics` also `projection`, `jumps` and `sizes`, from which the next proposal is fitted.

    Made by `tilted`; arrays are in the precision of the run.
    """

    profiles: Float[Array, "steps profiles"]
    share: Float[Array, " components"]
    shift: Float[Array, "components profiles normals"]
    jump_probability: Float[Array, "components sources"]
    size_shift: Float[Array, "components sources"]
    own_probability: Float[Array, " sources"]
    constant: Float[Array, " components"]
    """What of a component's log density does not depend on the path."""
    per_jump: Float[Array, "components sources"]
    normals: tuple[int, ...] = eqx.field(static=True)
    jump_uniforms: tuple[int, ...] = eqx.field(static=True)
    jump_sizes: tuple[int, ...] = eqx.field(static=True)
    sizes_uniform: bool = eqx.field(static=True)
    statistics: bool = eqx.field(static=True)

    def start(self, prepared: Prepared, key: Any, path: Any) -> tuple[Any, Any]:
        dtype = prepared.decay.dtype
        chosen = uniform(words(key, path, jnp.uint32(0), 2)[1], dtype)
        component = jnp.sum(chosen > jnp.cumsum(self.share)[:-1])
        own = [jnp.asarray(x, dtype)[component] for x in (self.shift, self.jump_probability, self.size_shift)]
        none = (jnp.zeros_like(own[0]), jnp.zeros_like(own[1]), jnp.zeros_like(own[1]))
        return first_uniforms(prepared, key, path), Sums(*none, *own)

    def step(self, prepared: Prepared, key: Any, path: Any, memory: Any, index: Any) -> tuple[Noise, Any]:
        noise, profile = draw(prepared, key, path, index), self.profiles[index]
        normals, uniforms = noise.normals, noise.uniforms
        moved = jnp.sum(profile[:, None] * memory.shift, axis=0)
        normals = normals + placed(moved, self.normals, normals.shape[0])
        steered = jnp.stack([normals[place] for place in self.normals])
        memory = memory._replace(projection=memory.projection + profile[:, None] * steered)
        if not self.jump_uniforms:
            return noise._replace(normals=normals), memory
        jumps, jumped = self._jumps(uniforms, memory.jump_probability)
        uniforms = replaced(uniforms, jumps, self.jump_uniforms)
        shift = jnp.where(jumped, memory.size_shift, 0.0)
        if self.sizes_uniform:
            drawn = jnp.stack([uniforms[place] for place in self.jump_sizes])
            sizes = jax.scipy.special.ndtri(drawn) + shift
            top = 1.0 - jnp.finfo(drawn.dtype).eps
            moved_sizes = jnp.where(jumped, jnp.minimum(jax.scipy.special.ndtr(sizes), top), drawn)
            uniforms = replaced(uniforms, moved_sizes, self.jump_sizes)
        else:
            sizes = jnp.stack([normals[place] for place in self.jump_sizes]) + shift
            normals = replaced(normals, sizes, self.jump_sizes)
        memory = memory._replace(
            jumps=memory.jumps + jumped.astype(sizes.dtype), sizes=memory.sizes + jnp.where(jumped, sizes, 0.0)
        )
        return noise._replace(normals=normals, uniforms=uniforms), memory

    def _jumps(self, uniforms, probability):
        """Uniforms under which a jump comes with its probability under Q, and has its own law given that it comes."""
        drawn, own = jnp.stack([uniforms[place] for place in self.jump_uniforms]), self.own_probability
        jumped = drawn < probability
        # given a jump (none), uniform below (above) the probability under P; rounding must not carry it over the edge
        inside = jnp.minimum(drawn * (own / probability), own * (1.0 - jnp.finfo(own.dtype).eps))
        outside = jnp.maximum(own + (drawn - probability) * ((1.0 - own) / (1.0 - probability)), own)
        return jnp.where(jumped, inside, jnp.minimum(outside, 1.0 - jnp.finfo(own.dtype).eps)), jumped

    def losses(self, memory: Any) -> dict[str, Any]:
        density = self.constant + jnp.sum(self.shift * memory.projection, axis=(1, 2))
        density = density + jnp.sum(self.per_jump * memory.jumps + self.size_shift * memory.sizes, axis=1)
        kept = {"log_weight": -jax.scipy.special.logsumexp(density)}
        if self.statistics:
            kept |= {"projection": memory.projection, "jumps": memory.jumps, "sizes": memory.sizes}
        return kept


def log_densities(proposal: Proposal, driven: Drivers, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The constant of each component's log density to the scenario's law, its share included, and what each jump adds."""
    tilted, own = proposal.jump_probability, driven.survival[:, 0]
    stays = np.log1p(-tilted) - np.log1p(-own)
    constant = np.log(proposal.share) - 0.5 * np.sum(proposal.shift**2, axis=(1, 2)) + steps * np.sum(stays, axis=1)
    return constant, np.log(tilted / own) - stays - 0.5 * proposal.size_shift**2


def tilted(prepared: Prepared, driven: Drivers, proposal: Proposal, statistics: bool = False) -> Tilted:
    """The source that draws from a proposal.

    **Raises:** `ValueError` for shares that are not positive or do not sum to one, or jump probabilities outside (0, 1).
    """
    share, probability = proposal.share, proposal.jump_probability
    if not (share > 0.0).all() or abs(share.sum() - 1.0) > 1e-9:
        raise ValueError(f"shares of the components must be positive and sum to one, and are {share.tolist()}")
    if probability.size and not ((probability > 0.0) & (probability < 1.0)).all():
        raise ValueError(f"jump probabilities must lie strictly between 0 and 1, and are {probability.tolist()}")
    steps, dtype = prepared.scenario.settings.steps, np.dtype(prepared.decay.dtype)
    # the weights belong to the numbers that are drawn with: round first
    rounded = Proposal(*(np.asarray(x, dtype).astype(np.float64) for x in proposal))._replace(share=share)
    constant, per_jump = log_densities(rounded, driven, steps)
    cast = lambda x: jnp.asarray(np.asarray(x), dtype)
    return Tilted(
        profiles=cast(cosines(steps, proposal.shift.shape[1])),
        share=cast(share),
        shift=cast(rounded.shift),
        jump_probability=cast(rounded.jump_probability),
        size_shift=cast(rounded.size_shift),
        own_probability=cast(driven.survival[:, 0]),
        constant=cast(constant),
        per_jump=cast(per_jump),
        normals=driven.normals,
        jump_uniforms=driven.jump_uniforms,
        jump_sizes=driven.jump_sizes,
        sizes_uniform=driven.sizes_uniform,
        statistics=statistics,
    )


__all__ = ["DEFENSIVE", "Proposal", "Sums", "Tilted", "log_densities", "tilted"]
