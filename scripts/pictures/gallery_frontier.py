"""What a cap buys against what it costs, each cap with its paired interval."""

import jaxrisk as jr


def draw():
    study = jr.study(
        {
            "scenario": "btc_any_day",
            "measures": ["mean(open_interest_loss_usd)", "expected_shortfall(max_drawdown_index, 0.95)"],
            "reference": "cap = 125",
            "set": {"limits.caps": [{"class": "*", "cap": 125.0, "share_downsize": 0.8}]},
            "grid": [{"name": "cap", "key": "limits.cap", "values": [2, 5, 10, 20, 50, 125]}],
            "run": {"paths": 4_000, "steps": 144},
        }
    )
    return study.plot_frontier().figure
