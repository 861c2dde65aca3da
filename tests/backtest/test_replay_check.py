"""The replay check: what a book of known size and feed does is found again, and the real unwind as it is."""

import gzip

import numpy as np
import pytest

from jaxrisk.backtest.replay.check import compare, replay_check
from jaxrisk.backtest.replay.data import HOURLY, price_path, read_hours
from jaxrisk.backtest.replay.scores import BLOCK, blocks, correlation, interest, shift_p, size, timing
from jaxrisk.cascade import prepare
from jaxrisk.config import ConfigError, load

HOURS, FIRST = 24 * 9, np.datetime64("2024-08-01T00:00:00", "s")
WINDOW = ("2024-08-04", "2024-08-10")
LONG, SHORT = 9.0, 5.0


def write_hours(folder, prices, open_interest, reported, low=0.999, high=1.001, asset="btc"):
    """An hourly file: opens at the close before, extremes beyond both."""
    opens = np.concatenate([prices[:1], prices[:-1]])
    times = FIRST + (np.arange(len(prices)) * 3600).astype("timedelta64[s]")
    lines = ["time,open,high,low,close,volume,oi_open,oi_close,liq_long,liq_short"]
    for t, o, c, before, after, (a, b) in zip(
        times, opens, prices, np.append(open_interest[:1], open_interest[:-1]), open_interest, reported, strict=True
    ):
        lines.append(f"{t}Z,{o},{max(o, c) * high},{min(o, c) * low},{c},1.0,{before},{after},{a},{b}")
    file = folder / HOURLY.format(asset)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    return file


def stormy(seed=4):
    """Hourly prices with a fall of a fifth and a rebound."""
    moves = 0.008 * np.random.default_rng(seed).standard_t(4, HOURS)
    moves[120:124] -= 0.05
    moves[126:130] += 0.03
    return 60_000.0 * np.exp(np.cumsum(moves))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A check whose reported series are the book's own over known kappas, with noise of 10%."""
    folder = tmp_path_factory.mktemp("made")
    prices, held, noise = stormy(), np.full(HOURS, 80_000.0), np.random.default_rng(5).lognormal(0.0, 0.1, (24 * 6, 2))
    write_hours(folder, prices, held, np.ones((HOURS, 2)))
    implied = replay_check(folder, *WINDOW, assets=["BTC"]).hours[0].implied
    reported = np.ones((HOURS, 2))
    reported[72:] = implied * noise / [LONG, SHORT]
    write_hours(folder, prices, held, reported)
    return replay_check(folder, *WINDOW, assets=["BTC"])


@pytest.mark.slow
def test_a_feed_made_of_the_book_has_its_kappa_and_its_hours(made):
    """Noise of 10% an hour: kappa within 5%, and within its own interval; both sides are seen to be throttled differently."""
    for side, kappa in (("long", LONG), ("short", SHORT)):
        found, when = made.size("BTC", side), made.timing("BTC", side)
        assert found.observed > 100.0
        assert found.kappa == pytest.approx(kappa, rel=0.05)
        assert found.low <= kappa * 1.01
        assert found.high >= kappa * 0.99
        assert when.pearson > 0.98
        assert when.spearman > 0.98
        assert when.pearson_p <= 0.01
        assert when.spearman_p <= 0.01
        assert when.pearson > when.move_pearson
    assert SHORT < made.size("BTC").kappa < LONG


@pytest.mark.slow
def test_in_other_hours_nothing_is_left_of_the_correlation(made):
    """Shuffled, of 144 hours: |r| has a standard deviation of 0.08; a false failure at 0.3 is one of 4,000 a number. The size
    does not care."""
    one = made.hours[0]
    order = np.random.default_rng(7).permutation(len(one.time))
    shuffled = compare([one._replace(observed=one.observed[order])], made.start, made.end)
    for side in ("long", "short", "both"):
        found = shuffled.timing("BTC", side)
        assert abs(found.pearson) < 0.3
        assert abs(found.spearman) < 0.3
        assert found.pearson_p > 0.005
        assert shuffled.size("BTC", side).kappa == pytest.approx(made.size("BTC", side).kappa)
    assert "not shown" in str(shuffled.summary())


@pytest.mark.slow
def test_a_single_fall_liquidates_what_the_ladder_has_within_it(tmp_path):
    """Prices stand still, and in one hour fall by a tenth: what is liquidated is the share of the book with liquidation prices
    within a tenth of the price, however much has turned over; up to cells of 0.6%, which also put a coin among the shorts."""
    prices = np.full(HOURS, 60_000.0)
    prices[150:] *= 0.9
    write_hours(tmp_path, prices, np.full(HOURS, 50_000.0), np.ones((HOURS, 2)), low=1.0, high=1.0)
    one = replay_check(tmp_path, *WINDOW, assets=["BTC"]).hours[0]
    hour = 150 - 72
    assert one.implied[:hour].sum() == pytest.approx(0.0, abs=1e-3)
    scenario = load("btc_24h")
    book = prepare(scenario.replace(price=np.array([60_000.0]))).book
    share = float(np.asarray(book.triggered(-np.log([0.9]))).ravel()[0] / np.asarray(book.open_interest(book.init())).ravel()[0])
    assert 0.01 < share < 0.3
    assert one.implied[hour, 0] == pytest.approx(50_000.0 * share, rel=0.03)
    assert one.implied[:, 1].sum() < 1.0
    assert one.held[0] == 50_000.0
    # the longs are gone, and 48% of what buys them closes shorts; open interest is of a side
    assert 0.0 < one.held[0] - one.held[-1] <= one.implied.sum()


@pytest.mark.slow
def test_open_interest_without_impact_is_a_scale(made, tmp_path):
    """Twice the open interest at the start, twice the liquidations: exact up to rounding."""
    write_hours(tmp_path, stormy(), np.full(HOURS, 160_000.0), np.ones((HOURS, 2)))
    twice = replay_check(tmp_path, *WINDOW, assets=["BTC"]).hours[0]
    np.testing.assert_allclose(twice.implied, 2.0 * made.hours[0].implied, rtol=1e-9)


def test_the_path_within_an_hour_reaches_its_extremes_in_the_likelier_order(tmp_path):
    write_hours(tmp_path, np.array([100.0, 90.0, 95.0] * 24), np.ones(72), np.ones((72, 2)), low=0.98, high=1.01)
    start, end = FIRST + np.timedelta64(1, "h"), FIRST + np.timedelta64(3, "h")
    path = np.exp(price_path(tmp_path, read_hours(tmp_path, "BTC", FIRST, start, end), start, end)[0])
    assert path[[0, 12, 24, 36, 48, 60, 72]] == pytest.approx([100.0, 101.0, 88.2, 90.0, 88.2, 95.95, 95.0])


def test_finer_bars_are_used_where_they_cover_the_window_at_the_hourly_files_level(tmp_path):
    from .conftest import write_bars

    write_hours(tmp_path, np.full(72, 100.0), np.ones(72), np.ones((72, 2)))
    (tmp_path / "prices").mkdir()
    closes = np.full(72 * 60, 101.0)
    closes[90] = 80.8
    write_bars(tmp_path / "bars.csv", FIRST, 60, closes)
    (tmp_path / "prices/btc_perp_5m_202408.csv.gz").write_bytes(gzip.compress((tmp_path / "bars.csv").read_bytes()))
    start, end = FIRST, FIRST + np.timedelta64(48, "h")
    path, said = price_path(tmp_path, read_hours(tmp_path, "BTC", start, start, end), start, end)
    assert np.exp(path.min()) == pytest.approx(80.8 * 0.999 / 1.01)
    assert np.argmin(path) * 100 in range(5400, 5701)
    assert np.exp(np.median(path)) == pytest.approx(100.0, rel=2e-3)
    assert "moved by -99.5 bp" in said
    late = end + np.timedelta64(48, "h")
    with pytest.raises(ConfigError, match="inside what the file covers"):
        read_hours(tmp_path, "BTC", start, start, late)


def test_missing_hours_are_left_out_and_said(tmp_path):
    file = write_hours(tmp_path, np.linspace(100.0, 110.0, 72), np.ones(72), np.ones((72, 2)))
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    file.write_bytes(gzip.compress("\n".join(lines[:10] + lines[12:]).encode()))
    hours = read_hours(tmp_path, "BTC", FIRST, FIRST, FIRST + np.timedelta64(48, "h"))
    assert np.flatnonzero(np.isnan(hours.reported[:, 0])).tolist() == [9, 10]
    assert any("2 of 48 hours are missing" in text for text in hours.findings)
    found = timing("BTC", "long", np.arange(48.0), hours.reported[:, 0] * np.arange(48.0), np.ones(48))
    assert found.pearson == pytest.approx(1.0)


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(ConfigError, match="btc_perp_oi_liquidations_1h_202408"):
        replay_check(tmp_path)
    for arguments, text in (
        ({"assets": ("BTX",)}, 'did you mean "BTC"'),
        ({"start": "2024-08-01T00:30"}, "whole hour"),
        ({"end": "2024-08-02"}, "48 h"),
        ({"short_leverage": "mine"}, "short_leverage"),
    ):
        with pytest.raises(ConfigError, match=text):
            replay_check(tmp_path, **arguments)
    file = write_hours(tmp_path, np.full(HOURS, 100.0), np.ones(HOURS), np.ones((HOURS, 2)))
    text = gzip.decompress(file.read_bytes()).decode()
    file.write_bytes(gzip.compress(text.replace("liq_short", "liq_shorts").encode()))
    with pytest.raises(ConfigError, match="liq_short: missing column"):
        replay_check(tmp_path, *WINDOW, assets=["BTC"])
    file.write_bytes(gzip.compress(text.replace(",1.0,1.0\n", ",-1.0,1.0\n", 1).encode()))
    with pytest.raises(ConfigError, match="line 2, liq_long"):
        replay_check(tmp_path, *WINDOW, assets=["BTC"])


def test_scores_of_small_series_by_hand():
    """Blocks of the bootstrap have the mean length that is stated: of 2,000 x 168 hours a twelfth begins one, with a standard
    error of 0.3% of it."""
    rows = blocks(168, 1)
    begun = np.mean(np.diff(rows, axis=1) % 168 != 1)
    assert begun == pytest.approx(1.0 / BLOCK * (1.0 - 1.0 / 168), rel=0.02)
    spike = np.zeros(100)
    spike[40] = 1.0
    assert shift_p(spike, spike) == pytest.approx(1.0 / 96.0)
    assert shift_p(spike, np.roll(spike, 10)) > 0.9
    assert np.isnan(correlation(np.ones(5), np.arange(5.0)))
    found = size("BTC", "long", np.array([6.0, 0.0, 12.0]), np.array([1.0, np.nan, 2.0]), np.array([False, True, True]))
    assert (found.implied, found.observed, found.kappa, found.day) == (18.0, 3.0, 6.0, 6.0)
    assert (found.low, found.high) == pytest.approx((6.0, 6.0))
    fell = interest("BTC", np.array([100.0, 95.0, 80.0, 70.0]), np.array([50.0, 60.0, 48.0, 54.0]))
    assert fell.observed == pytest.approx(0.2)
    assert fell.implied == pytest.approx(0.3)
    assert fell.implied_then == pytest.approx(1.0 - 80.0 / 95.0)


def test_circular_shifts_are_a_test_of_its_level():
    """200 pairs of independent series, one in ten p at most 0.1: 20, standard deviation 4.2, and 3.6 of them are allowed."""
    random = np.random.default_rng(11)
    smooth = lambda: np.convolve(random.standard_normal(175), np.ones(8), "valid")
    found = [shift_p(smooth(), smooth()) for _ in range(200)]
    assert 5 <= np.count_nonzero(np.array(found) <= 0.1) <= 35


@pytest.fixture(scope="module")
def real():
    from .conftest import DATA

    if not (DATA / HOURLY.format("btc")).exists():
        pytest.skip(f"no hourly liquidations in {DATA}")
    return replay_check(DATA)


@pytest.mark.slow
def test_august_2024_the_book_liquidates_in_the_hours_in_which_it_was(real):
    """Correlations of 0.75 (BTC longs), 0.49 and 0.71 (ETH, SOL) of square roots; a book without turnover, or a price without the
    extremes of its hours, has less."""
    for asset, least in (("BTC", 0.65), ("ETH", 0.4), ("SOL", 0.6)):
        found = real.timing(asset, "long")
        assert found.pearson > least
        assert found.pearson_p < 0.01
        assert found.spearman > 0.6
        assert found.spearman_p < 0.01
    assert all(one.pearson > 0.3 and one.pearson_p < 0.05 for one in real.timings)


@pytest.mark.slow
def test_august_2024_sizes_and_open_interest(real):
    """What is implied over what is reported is within the stated 6 to 17 for BTC and ETH, with wide intervals; between the hours
    of the observed loss the book loses at least two thirds of it, and not more than all."""
    assert 6.0 < real.size("BTC").kappa < 17.0
    assert 6.0 < real.size("ETH").kappa < 17.0
    assert real.size("BTC").low > 3.0
    for one in real.interests:
        assert 0.6 < one.implied_then / one.observed < 1.1


def test_august_2024_what_falls_short_is_said(real):
    """The hour's own move tells the hours better, and the book has too few shorts with leverage on the way back."""
    text = str(real.summary())
    assert real.timing("BTC", "long").move_pearson > real.timing("BTC", "long").pearson
    assert "own move says more about when than the book does" in text
    assert all(real.size(asset, "short").day < 1.0 for asset in ("BTC", "ETH", "SOL"))
    assert "Fewer implied than the lower bound" in text
    assert len(real.summary().to_dataframe()) == 9


@pytest.mark.slow
def test_the_figure_has_a_column_an_asset(real, made, tmp_path):
    pytest.importorskip("matplotlib")
    for check, columns in ((real, 3), (made, 1)):
        figure = check.plot()
        assert len(figure.axes) == 4 * columns
        figure.savefig(tmp_path / f"{columns}.png")
