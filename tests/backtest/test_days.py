"""Forecasts of every day: what is observed, what each forecaster says, and that none knows what comes."""

import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from scipy import stats

import jaxrisk
from jaxrisk.backtest.days import engine as day_engine, rivals as day_rivals
from jaxrisk.backtest.days.engine import BURN_IN, Fit, Fits, FitsError, _lasting, _run, engine
from jaxrisk.backtest.days.periods import after_alarms, on_days, path_quantities, periods
from jaxrisk.backtest.days.rivals import daily_variance, gjr_garch, log_har, loss_on_fall, windows
from jaxrisk.backtest.days.run import backtest_days, cuts_between
from jaxrisk.calibration.indirect.bars import DayBars
from jaxrisk.calibration.indirect.from_state import STEPS_PER_DAY, hourly_bars
from jaxrisk.calibration.indirect.histories import histories
from jaxrisk.calibration.indirect.log_variance import TailModel, law_of

FIRST = np.datetime64("2020-01-01")
DAYS = 640
CUT = 500
POINT = TailModel.start_of_law()


@pytest.fixture(scope="module")
def bars() -> DayBars:
    """A record of the law that a fit begins with."""
    drawn = histories(law_of(POINT), DAYS, 1, seed=5)
    return drawn.record(0, np.zeros((DAYS, 24), bool))._replace(first=FIRST)


@pytest.fixture(scope="module")
def coins(bars):
    """Open interest that falls by half of a day's fall, and by noise."""
    fall = path_quantities(bars.open, bars.high, bars.low)["fall"]
    loss = 0.5 * fall - 0.5 * fall.mean() + 0.01 * np.random.default_rng(1).standard_normal(DAYS)
    return bars.dates, 1e5 * np.cumprod(1.0 - loss)


def test_what_is_observed(bars, coins):
    holes = bars.close.copy()
    holes[510, 3] = np.nan
    found = periods(bars._replace(close=holes), FIRST + 505, FIRST + 530, 5, coins)
    assert (found.start // 24).tolist() == [505, 515, 520, 525]
    five = lambda x: x[515:520].ravel()
    low, high, opening = five(bars.low), five(bars.high), five(bars.open)
    fall = max(1 - np.exp(low[i] - max([opening[i], *high[:i]])) for i in range(120))
    assert found.seen["fall"][1] == pytest.approx(fall)
    bottom = int(np.argmin(low))
    assert found.seen["rebound"][1] == pytest.approx(np.exp(max(high[bottom + 1 :]) - low[bottom]) - 1)
    assert found.seen["open_interest_loss"][1] == pytest.approx(1 - coins[1][519] / coins[1][514])
    assert len(periods(bars, FIRST + 1000, FIRST + 1100).start) == 0
    few = on_days((FIRST + np.array([2, 900]), np.array([7.0, 8.0])), bars)
    assert (few[2], np.isfinite(few).sum()) == (7.0, 1)


def test_a_year_has_a_cut():
    assert [str(cut) for cut in cuts_between(np.datetime64("2021-01-01"), np.datetime64("2022-12-31"))] == [
        "2021-01-01",
        "2022-01-01",
    ]


def _altered(bars, day):
    """The same before a day, and another record from it on."""
    other = np.random.default_rng(9).standard_normal((DAYS - day, 24)) * 0.05
    change = lambda x: np.concatenate([x[:day], x[day:] + other])
    return bars._replace(open=change(bars.open), high=change(bars.high), low=change(bars.low), close=change(bars.close))


RIVALS = {
    "filtered history": lambda bars, coins: windows(bars, CUT, 1),
    "of five days": lambda bars, coins: windows(bars, CUT, 5),
    "extreme value": lambda bars, coins: windows(bars, CUT, 1, True),
    "log-HAR-t": lambda bars, coins: log_har(bars, CUT, 2),
    "GJR-GARCH-t": lambda bars, coins: gjr_garch(bars, CUT, 1),
    "regression": lambda bars, coins: loss_on_fall(bars, coins, CUT, 1),
}


def _same(one, other) -> bool:
    return one.keys() == other.keys() and len(one) > 0 and all(np.array_equal(one[name], other[name]) for name in one)


def _heeds(make, bars, coins, origin, day) -> bool:
    """Whether the forecast of the day `origin` changes where what comes on another `day` and later does."""
    later = coins.copy()
    later[day:] *= 0.5
    before, after = (make(b, c).samples(24 * origin, 200, 3) for b, c in ((bars, coins), (_altered(bars, day), later)))
    return not _same(before, after)


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("origin", [CUT, CUT + 77])
def test_no_rival_knows_what_comes(bars, coins, name, origin):
    assert not _heeds(RIVALS[name], bars, coins[1], origin, origin)
    assert _heeds(RIVALS[name], bars, coins[1], origin, origin - 1)  # but what came just before


def test_a_planted_leak_is_found(monkeypatch, bars, coins):
    """The day's own variance among its regressors; and windows of the past that end a day too late."""
    assert _heeds(lambda b, c: windows(b, CUT + 5, 1), bars, coins[1], CUT + 2, CUT + 2)
    honest = day_rivals.regressors
    monkeypatch.setattr(day_rivals, "regressors", lambda x: np.roll(honest(x), -1, axis=0))
    assert _heeds(RIVALS["filtered history"], bars, coins[1], CUT + 77, CUT + 77)
    assert _heeds(RIVALS["log-HAR-t"], bars, coins[1], CUT + 77, CUT + 77)


def test_rivals_of_a_record_of_constant_volatility():
    """Quantiles of what comes are uniform in every rival's forecast of days of constant volatility: Kolmogorov and Smirnov's
    probability above 1e-4; in one of half the variance they are not."""
    random = np.random.default_rng(8)
    returns = 0.006 * random.standard_normal((DAYS, 96, 24))
    path = np.cumsum(returns.reshape(DAYS, -1), axis=1).reshape(DAYS, 24, 96) / np.sqrt(96)
    opening = np.concatenate([np.zeros((DAYS, 1)), path[:, :-1, -1]], axis=1)
    level = np.concatenate([[0.0], np.cumsum(path[:-1, -1, -1])])[:, None]
    high, low = np.maximum(path.max(2), opening), np.minimum(path.min(2), opening)
    flat = DayBars(FIRST, opening + level, high + level, low + level, path[:, :, -1] + level)
    seen = periods(flat, FIRST + CUT, FIRST + DAYS - 1).seen["fall"]
    for make in (lambda: windows(flat, CUT, 1), lambda: windows(flat, CUT, 1, True), lambda: log_har(flat, CUT, 1),
                 lambda: gjr_garch(flat, CUT, 1)):  # fmt: skip
        made = make()
        drawn = [made.samples(24 * (CUT + i), 1000, 1)["fall"] for i in range(len(seen))]
        assert stats.kstest([np.mean(x < y) for x, y in zip(drawn, seen, strict=True)], "uniform").pvalue > 1e-4
        assert stats.kstest([np.mean(0.7 * x < y) for x, y in zip(drawn, seen, strict=True)], "uniform").pvalue < 1e-4


def test_gjr_is_filtered_as_by_the_library(bars):
    """The variance of a day's first hour is the one that `arch` has at that place with the same numbers."""
    from arch import arch_model

    made = gjr_garch(bars, CUT, 1)
    returns = 100.0 * np.diff(bars.close.ravel())
    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, o=1, q=1, dist="t")
    fixed = model.fix([1e4 * made.omega, made.alpha, made.gamma, made.beta, made.freedom])
    there = 1e-4 * fixed.conditional_volatility[CUT * 24 - 1] ** 2
    assert made.variance[24 * CUT] == pytest.approx(there, rel=1e-6)
    assert 0.9 < made.alpha + 0.5 * made.gamma + made.beta < 1.0 + 1e-6


def test_beyond_its_tenth_extreme_value_is_a_generalised_pareto_law(bars):
    plain, tail = windows(bars, CUT, 1), windows(bars, CUT, 1, True)
    one, other = (np.sort(made.samples(24 * CUT, 20_000, 1)["fall"]) for made in (plain, tail))
    for level in (0.1, 0.5, 0.85):
        assert np.quantile(other, level) == pytest.approx(np.quantile(one, level), rel=1e-3)
    assert np.quantile(other, 0.97) == pytest.approx(np.quantile(one, 0.97), rel=0.1)
    assert other[-1] > one[-1]  # it goes on beyond the largest seen


def test_loss_on_fall_finds_the_line(bars, coins):
    found = loss_on_fall(bars, coins[1], CUT, 1)
    assert found.slope == pytest.approx(0.5, abs=0.06)
    assert np.std(found.residuals) == pytest.approx(0.01, rel=0.15)
    with pytest.raises(ValueError, match="60 are needed"):
        loss_on_fall(bars, np.full(DAYS, np.nan), CUT, 1)


def test_too_short_a_past(bars):
    with pytest.raises(ValueError, match="at least 180 are needed"):
        daily_variance(bars, 100)
    with pytest.raises(ValueError, match="hourly returns before"):
        gjr_garch(bars, 100, 1)


def test_hours_between_steps_have_the_extremes_of_brownian_motion():
    """Days of Brownian motion of 60% a year: P(low < -x) is the reflection principle's, 20,000 days, |z| < 5; without the bridge
    it is 7 errors too small."""
    n, variance = 20_000, 0.36
    sd = np.sqrt(variance / 365 / STEPS_PER_DAY)
    price = np.cumsum(sd * np.random.default_rng(3).standard_normal((STEPS_PER_DAY, n)), axis=0).astype(np.float32)
    opening, high, low = np.asarray(hourly_bars(price, np.full_like(price, variance), jax.random.key(1)), np.float64)
    daily = np.sqrt(variance / 365)
    for x in (0.5, 1.0, 2.0):
        true = 2 * stats.norm.cdf(-x)
        error = np.sqrt(true * (1 - true) / n)
        assert abs(np.mean(low.min(0) < -x * daily) - true) < 5 * error
        assert abs(np.mean(high.max(0) > x * daily) - true) < 5 * error
    assert np.mean(price.min(0) < -0.5 * daily) < 2 * stats.norm.cdf(-0.5) - 7 * np.sqrt(0.24 / n)
    np.testing.assert_array_equal(opening[1:], price[11:-1:12])


def test_rivals_alone_end_to_end(bars, coins):
    """Every day and every five days; what a table and a picture are made of."""
    told = []
    found = backtest_days(bars, None, FIRST + CUT, FIRST + DAYS - 1, horizons=(1, 5), coins=coins, paths=1000,
                          progress=lambda done, total: told.append((done, total)))  # fmt: skip
    assert told[-1] == (5 * (140 + 28), 5 * (140 + 28))
    assert [str(cut) for cut in found.cuts] == ["2021-05-15"]
    assert not found.notes
    day, five = found.horizons
    assert set(day.scores) == {"filtered history", "extreme value", "log-HAR-t", "GJR-GARCH-t", "regression"}
    assert (len(day.periods.start), len(five.periods.start)) == (140, 28)
    assert set(day.scores["regression"]) == {"open_interest_loss"}
    inside = lambda s: np.mean((s.observed >= s.low) & (s.observed <= s.high))
    assert all(0.75 < inside(by["fall"]) for name, by in day.scores.items() if name != "regression")
    text = str(found.summary())
    assert "Largest fall within 1 day, 140 days" in text
    assert "Largest rise within 5 days, value at risk" in text
    rows = found.summary().to_dataframe()
    assert len(rows) == (140 + 28) * (4 * 3 + 1)
    assert rows.crps.notna().all()
    with pytest.raises(ValueError, match="no day from"):
        backtest_days(bars, None, "2030-01-01", "2030-02-01")


@pytest.mark.parametrize("alarms", [False, True])
def test_no_forecast_of_a_run_knows_what_comes(bars, alarms):
    """Across a new year, when all is fitted again: everything that begins before or on a day is forecast alike where that day and
    all later ones are others, and what comes later is not."""
    day = 560
    run = lambda b: backtest_days(b, None, FIRST + 320, FIRST + DAYS - 1, paths=200, alarms=alarms).horizons[0]
    one, other = run(bars), run(_altered(bars, day))
    for name in one.scores:
        ends = [np.column_stack([x.scores[name]["fall"].low, x.scores[name]["fall"].high]) for x in (one, other)]
        before = [x.periods.start <= 24 * day for x in (one, other)]
        early = [
            dict(zip(x.periods.start[b].tolist(), y[b], strict=True)) for x, y, b in zip((one, other), ends, before, strict=True)
        ]
        shared = early[0].keys() & early[1].keys()
        assert len(shared) > (3 if alarms else 200)
        assert all(np.array_equal(early[0][s], early[1][s], equal_nan=True) for s in shared), name
    if not alarms:
        late = one.periods.start > 24 * day
        fall = [x.scores["GJR-GARCH-t"]["fall"].low[late] for x in (one, other)]
        assert not np.array_equal(*fall)


def test_a_fit_is_of_earlier_days_alone(monkeypatch, bars):
    """With and without feedback, each after the one of the year before."""
    seen = []

    def fit(model, start, rounds, report):
        seen.append((model.bars.dates[-1], model.scenario is not None, None if start is None else float(start[0])))
        return SimpleNamespace(estimate=SimpleNamespace(values=POINT + len(seen), distance=1.0))

    monkeypatch.setattr(day_engine, "fit_tail", fit)
    fits = Fits(None, "")
    for cut in (FIRST + 300, FIRST + 366):
        for feedback in (True, False):
            assert fits.get(bars, "a scenario", cut, feedback).until == cut
    last = np.array([FIRST + 299, FIRST + 299, FIRST + 365, FIRST + 365])
    np.testing.assert_array_equal([day for day, _, _ in seen], last)
    assert [kind for _, kind, _ in seen] == [True, False, True, False]
    assert [begin for _, _, begin in seen] == [None, None, POINT[0] + 1, POINT[0] + 2]
    fits.get(bars, "a scenario", FIRST + 300, True)
    assert len(seen) == 4  # not again


def test_alarms_by_hand(bars):
    """Hours that fall by more than four deviations of the 30 days before; a second within a day of one is part of it."""
    close = bars.close.copy().ravel()
    for hour in (24 * 520 + 7, 24 * 520 + 20, 24 * 530 + 23):
        close[hour:] -= 0.2
    fallen = bars._replace(close=close.reshape(-1, 24))
    found = after_alarms(fallen, FIRST + 519, FIRST + 535)
    assert set(found.start) >= {24 * 520 + 8, 24 * 531}
    assert 24 * 520 + 21 not in found.start
    assert np.diff(found.start).min() >= 24
    assert str(found.dates[list(found.start).index(24 * 531)]) == "2021-06-15T00"
    returns = np.diff(close, prepend=np.nan)
    for start in found.start:
        day = (start - 1) // 24
        before = returns[24 * (day - 30) : 24 * day]
        assert returns[start - 1] < -4.0 * before.std()


def test_rivals_after_alarms(bars):
    """Forecasters whose days begin at any hour; those after an alarm at 07:00 know of the hours up to it and of none later."""
    found = backtest_days(bars, None, FIRST + CUT, FIRST + DAYS - 1, paths=300, alarms=True)
    [one] = found.horizons
    assert one.periods.alarms
    assert len(one.periods.start) > 10
    assert set(one.scores) == {"filtered history", "extreme value", "log-HAR-t", "GJR-GARCH-t"}
    assert "Largest fall within 1 day of an alarm" in str(found.summary())
    start = 24 * (CUT + 40) + 7
    cut_off = lambda x, at: np.where(np.arange(x.size).reshape(x.shape) >= at, x + 0.3, x)
    later = lambda at: DayBars(bars.first, *(cut_off(x, at) for x in bars[1:]))
    for make in (lambda b: windows(b, CUT, 1, shift=7), lambda b: log_har(b, CUT, 1, shift=7), lambda b: gjr_garch(b, CUT, 1)):
        said = [make(b).samples(start, 200, 1) for b in (bars, later(start), later(start - 1))]
        assert _same(said[0], said[1])
        assert not _same(said[0], said[2])


def test_stopped_half_way_what_is_finished_is_kept(bars):
    def stop(done, total):
        if done > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        backtest_days(bars, None, FIRST + CUT, FIRST + DAYS - 1, paths=100, progress=stop)
    found = stopped.value.result
    assert set(found.horizons[0].scores) == {"filtered history", "extreme value"}
    assert "Largest fall" in str(found.summary())


def test_fits_are_kept_and_read_again(tmp_path, bars):
    path, cut = tmp_path / "fits.json", FIRST + CUT
    fits = Fits(path, "mine")
    fits.found[(str(cut), False)] = Fit(cut, False, POINT, 12.0)
    path.write_text(fits._text())
    again = Fits(path, "mine").get(bars, None, cut, False)
    assert (again.until, again.distance) == (cut, 12.0)
    np.testing.assert_array_equal(again.point, POINT)
    with pytest.raises(FitsError, match="other data: mine; here it is another"):
        Fits(path, "another")
    for change in ({"fits": [{"until": "x"}]}, {"fits": 3}, {}):
        path.write_text(json.dumps(change))
        with pytest.raises(FitsError, match="is not a file of fits"):
            Fits(path, "mine")
    broken = json.loads(fits._text())
    broken["fits"][0]["point"] = [1.0]
    path.write_text(json.dumps(broken))
    with pytest.raises(FitsError):
        Fits(path, "mine")


@pytest.fixture(scope="module")
def scenario():
    return jaxrisk.load("btc_any_day")


@pytest.mark.slow
def test_the_engine_knows_its_own_law_and_nothing_that_comes(bars, coins, scenario):
    """On a record of the law itself the forecast without feedback is calibrated, quantiles uniform at 1e-4 and 90% intervals of
    140 days within |z| < 4; with feedback falls are deeper; and a state is of the past alone."""
    cut = FIRST + CUT
    law_alone, with_ = Fit(cut, False, POINT, 0.0), Fit(cut, True, np.append(POINT, [np.log(0.5), np.log(0.2)]), 0.0)
    alone = engine(bars, scenario, law_alone, CUT, DAYS, 1, None)
    seen = periods(bars, cut, FIRST + DAYS - 1).seen["fall"]
    drawn = [alone.samples(24 * (CUT + i), 1024, 1) for i in range(140)]
    place = np.array([np.mean(x["fall"] < y) for x, y in zip(drawn, seen, strict=True)])
    assert stats.kstest(place, "uniform").pvalue > 1e-4
    assert abs(np.mean((place > 0.05) & (place < 0.95)) - 0.9) < 4 * np.sqrt(0.09 / 140)
    # not the forecast of any day: it follows the state
    middle = np.array([np.median(x["fall"]) for x in drawn])
    assert np.corrcoef(np.log(middle), np.log(seen))[0, 1] > 0.3

    made = engine(bars, scenario, with_, CUT, CUT + 3, 1, coins[1])
    forced = made.samples(24 * (CUT + 2), 1024, 1)
    plain = made._replace(feedback=False).samples(24 * (CUT + 2), 1024, 1)
    assert np.quantile(forced["fall"], 0.95) > 1.02 * np.quantile(plain["fall"], 0.95)
    assert np.mean(forced["fall"] - plain["fall"]) > 0.0
    assert np.isfinite(forced["open_interest_loss"]).all()

    later = coins[1].copy()
    later[CUT:] = 1.0
    other = engine(_altered(bars, CUT + 2), scenario, with_, CUT, CUT + 3, 1, later)
    assert _same(other.samples(24 * (CUT + 2), 1024, 1), forced)
    hours = [engine(b, scenario, with_, CUT, CUT + 3, 1, every=1) for b in (bars, _altered(bars, CUT + 2))]
    assert _same(*(x.samples(24 * (CUT + 2), 1024, 1) for x in hours))
    assert not _same(*(x.samples(24 * (CUT + 2) + 1, 1024, 1) for x in hours))
    before = engine(_altered(bars, CUT + 1), scenario, with_, CUT, CUT + 3, 1, later)
    assert not _same(before.samples(24 * (CUT + 2), 1024, 1), forced)
    assert made.first == 24 * (CUT - BURN_IN)


@pytest.mark.slow
def test_what_lasts_of_a_forced_loss_is_found(bars, scenario):
    """Open interest that loses 0.4 of what the engine says is forced at such a move, and noise."""
    with_ = Fit(FIRST + CUT, True, np.append(POINT, [np.log(0.5), np.log(0.2)]), 0.0)
    made = engine(bars, scenario, with_, CUT, CUT + 1, 1, None)
    # what is forced at a move, as the engine says of paths of its own
    random = np.random.default_rng(1)
    said, lost = _run(made.ready, made.states[random.integers(0, 181, 4096), 0].astype(np.float32), True, 0, 4, 4)
    assert np.corrcoef(said["fall"], lost)[0, 1] > 0.3
    curve = np.polynomial.Polynomial.fit(np.minimum(said["fall"], 0.3), lost, 2)
    fall = path_quantities(bars.open, bars.high, bars.low)["fall"]
    forced = np.clip(curve(np.minimum(fall, 0.3)), 0.0, 1.0)
    noise = 0.001 * np.random.default_rng(2).standard_normal(DAYS)
    found = _lasting(made, bars, np.cumprod(1.0 - 0.4 * forced - noise), CUT, 1, 1)
    assert found is not None
    assert found[0] == pytest.approx(0.4, abs=0.1)
    assert np.std(found[1]) < 0.006
    assert _lasting(made, bars, np.full(DAYS, 1.0), CUT, 1, 1)[0] == 0.0
    assert _lasting(made, bars, np.full(DAYS, np.nan), CUT, 1, 1) is None
