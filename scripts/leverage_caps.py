# %% [markdown]
# # What would a lower leverage limit change?
#
# A notebook as runnable text: open it cell by cell in an editor that knows `# %%`, or run it whole.

# %%
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxrisk as jr
from jaxrisk.cascade import path_losses, prepare, seed_key
from jaxrisk.positions import Limits

scenario = jr.load("btc_shock_10pct")
print(scenario.description.question)

# %% [markdown]
# The same shocks and random numbers under several caps for everybody; half of those capped take a smaller position.

# %%
print(f"{'cap':>6}  {'open interest':>13}  {'mean drawdown':>20}  {'mean open-interest loss':>24}")
for cap in (5.0, 8.0, 9.0, 10.0, 25.0, None):
    limits = Limits.none() if cap is None else Limits.single(cap, share_downsize=0.5)
    result = jr.simulate(scenario.replace(limits=limits), paths=4096, steps=360, sample_paths=0)
    drawdown, loss = result.mean("max_drawdown_index"), result.mean("open_interest_loss_usd")
    print(
        f"{cap or 'none':>6}  {result.info['open_interest_usd'] / 1e9:9.2f} bn   "
        f"{100 * drawdown.value:8.3f} ± {100 * drawdown.standard_error:.3f} %   "
        f"{loss.value / 1e6:10.1f} ± {loss.standard_error / 1e6:.1f} million"
    )

# %% [markdown]
# The derivative of the expected loss to the cap, pathwise, over the same paths: no bump, and no smoothing of the margin check.


# %%
@eqx.filter_jit
def losses_and_slopes(cap):
    def losses(value):
        capped = scenario.replace(limits=Limits.single(value, share_downsize=0.5))
        return path_losses(prepare(capped), seed_key(1), jnp.arange(2048, dtype=jnp.uint32))["open_interest_loss_usd"]

    return jax.jvp(losses, (cap,), (jnp.ones_like(cap),))


losses, slopes = (np.asarray(x, np.float64) for x in losses_and_slopes(jnp.float32(9.0)))
error = slopes.std() / np.sqrt(len(slopes))
print(f"d(mean loss)/d(cap) at a cap of 9: {slopes.mean() / 1e6:.2f} ± {error / 1e6:.2f} million USD per unit of leverage")
