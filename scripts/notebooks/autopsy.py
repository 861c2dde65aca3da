# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Autopsy of an unwind
#
# A market has fallen, and a good part of its open interest is gone. How much of that fall was news, and how much the
# market's own forced orders? Here an unwind is made up, so that the answer is known; then it is attributed from what
# an observer would have seen, closes every five minutes and the open interest lost.

# %% tags=["parameters"]
STEPS, DRAWS = 360, 32

# %%
# %matplotlib inline
import os

from jaxrisk.backtest.attribution.attributed import Attributions, attributed
from jaxrisk.backtest.attribution.unwind import simulated_unwinds

# %% [markdown]
# ## An unwind of which everything is known
#
# Six hours in steps of a minute, with the size of impact, the book and the engine drawn from their ranges.

# %%
known = simulated_unwinds(2, seed=5, steps=STEPS, inside=STEPS)[1]
print(f"fall {100 * known.unwind.fall:.1f}%, of it the market's own {100 * known.own:.1f}%")
print(f"open interest lost {100 * known.unwind.lost:.1f}%, closed by force {100 * known.force:.1f}%")

# %% [markdown]
# ## The autopsy
#
# The engine is run along the price as it was, so that what was liquidated is known, and with it the displacement that
# forced orders had. What is not known (impact, the book, what closes besides) is drawn from ranges, and draws that do
# not bear out the open interest that was lost weigh little. `Attributed` has medians and 90% intervals.

# %%
found = attributed("made up", "A made-up unwind", known.unwind, count=DRAWS, seed=1, caps=(20.0, 5.0))


def said(one):
    return f"{100 * one.value:.1f}% ({100 * one.low:.1f} to {100 * one.high:.1f})"


print(f"own share of the fall: {said(found.own)}, true {100 * known.own:.1f}%")
print(f"closed by force: {said(found.forced)}, true {100 * known.force:.1f}%")

# %% [markdown]
# Of fifty unwinds of 12 hours, with 64 draws each, 46 had the true share within the interval (95% interval of that
# count: 81 to 98%; on a second seed 49). The interval is wide for what is not known of the book and impact, for an
# error of the method, and for how few draws it rests on: more draws make the last part smaller, and that alone.
#
# What of the width is due to what?

# %%
print(f"printed width {100 * found.own.width:.1f} points, of the draws alone {100 * found.drawn:.1f}")
for source, width in found.widths.items():
    less = f"{100 * width.adds:.1f} ± {100 * width.error:.1f}"
    print(f"  if {source} were known: narrower by {less}; with nothing else unknown {100 * width.alone:.1f}")

# %%
Attributions([found]).plot()

# %% [markdown]
# ## A recorded one
#
# Eight unwinds of Bitcoin ship as event files; their prices do not, they are not part of the project.
# `docs/events.md` says which files an event names and what they hold. Point `JAXRISK_DATA` to a folder that has them:

# %%
if folder := os.environ.get("JAXRISK_DATA"):
    from jaxrisk.cli import main

    main(["attribute", "2024-08-05", "--data", folder, "--draws", str(DRAWS)])
else:
    print("JAXRISK_DATA names no folder with recorded prices: left out. What it found is in docs/attribution.md.")
