"""What caps on leverage change, and against what they cost."""

from matplotlib.figure import Figure

import jaxrisk as jr

CAPS = {
    "scenario": "btc_any_day",
    "run": {"paths": 4_000, "steps": 144},
    "measures": ["expected_shortfall(open_interest_loss_usd, 0.95)"],
    "reference": "no cap",
    "set": {"limits.caps": [{"class": "*", "cap": 125.0, "share_downsize": 0.5}]},
    "grid": [{"name": "cap", "key": "limits.cap", "values": [2, 5, 10, 20, 125],
              "labels": ["cap 2", "cap 5", "cap 10", "cap 20", "no cap"]}],
}  # fmt: skip


def draw():
    study = jr.study(CAPS)
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    study.plot.differences(ax=left)
    study.plot.frontier(ax=right)
    return figure
