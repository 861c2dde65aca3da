"""How far what nobody knows moves a measure: a tornado of branches."""

import jaxrisk as jr

NOBODY_KNOWS = {
    "scenario": "btc_shock_10pct",
    "run": {"paths": 1_000, "steps": 144},
    "measures": ["mean(open_interest_loss_usd)"],
    "cells": [{"name": "as it is"}],
    "branches": [
        {"group": "impact", "name": "0.5", "weight": 0.3, "set": {"impact.coefficient": 0.5}},
        {"group": "impact", "name": "1", "weight": 0.4, "set": {"impact.coefficient": 1.0}},
        {"group": "impact", "name": "3", "weight": 0.3, "set": {"impact.coefficient": 3.0}},
        {"group": "shock", "name": "8%", "weight": 0.5, "set": {"shock.size": {"BTC": -0.08}}},
        {"group": "shock", "name": "12%", "weight": 0.5, "set": {"shock.size": {"BTC": -0.12}}},
    ],
}


def draw():
    return jr.study(NOBODY_KNOWS).plot.tornado().figure
