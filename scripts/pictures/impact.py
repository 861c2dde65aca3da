"""How far an order moves the price, by its size, and how that comes back."""

import numpy as np
from matplotlib.figure import Figure

from jaxrisk.cascade import LinearImpact, PowerImpact, TemporaryImpact

VOLATILITY, VOLUME = 0.0203, 1.78e10  # of a day, as in btc_24h
YEAR_OF_MINUTES = 365 * 24 * 60


def draw():
    figure = Figure(figsize=(8.2, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    sold = np.linspace(0.0, 2e9, 200)
    laws = {
        "linear, depth 1e11": LinearImpact(1e11),
        "power, exponent 0.5 (square root)": PowerImpact(1.0, VOLATILITY, VOLUME, 0.5),
        "power, exponent 0.8": PowerImpact(1.0, VOLATILITY, VOLUME, 0.8),
    }
    for name, law in laws.items():
        left.plot(sold / 1e6, 100.0 * np.asarray(law.displacement(sold)), label=name)
    left.set(xlabel="sold, USD million", ylabel="fall of the price, %", title="By size")
    left.legend()

    square_root = laws["power, exponent 0.5 (square root)"]
    of_the_asset = (np.array([value]) for value in (0.138, 0.6, np.log(2.0) * YEAR_OF_MINUTES / 3.0, VOLATILITY, VOLUME))
    temporary = TemporaryImpact(*of_the_asset)
    minutes, sale = np.linspace(0.0, 120.0, 481), 5e8  # sold evenly over the first ten minutes
    step, rate, transient, falls = minutes[1], 0.0, 0.0, []
    keep, add = (float(one[0]) for one in temporary.weights(step / YEAR_OF_MINUTES))
    for minute in minutes:
        now = sale * step / 10.0 if minute < 10.0 else 0.0
        rate, transient = keep * rate + add * now, transient * 0.5 ** (step / 30.0) + 0.9 * now
        lasting = transient + 0.1 * sale * min(minute, 10.0) / 10.0
        falls.append([float(square_root.displacement(np.float64(lasting))), float(temporary.fall(np.array([rate]))[0])])
    first, second = 100.0 * np.array(falls).T
    right.fill_between(minutes, -first, color="#0072B2", alpha=0.35, linewidth=0, label="of displaced volume (half-life 30 min)")
    right.fill_between(minutes, -first - second, -first, color="#D55E00", alpha=0.35, linewidth=0,
                       label="temporary (half-life 3 min)")  # fmt: skip
    right.plot(minutes, -first - second, color="black", linewidth=1.0)
    right.set(xlabel="minutes", ylabel="displacement of the price, %", title="500 million sold in ten minutes", xlim=(0, 120))
    right.legend(loc="lower right")
    return figure
