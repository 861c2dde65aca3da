"""In which order winners are deleveraged: by sorting, and by filling water, one account after another."""


def solid(holder, price) -> float:
    """Equity; a millionth of the notional where there is less, so that its holder goes first."""
    return max(holder.equity(price), 1e-6 * holder.notional(price))


def score(ranking: str, holder, market, price) -> float:
    """The higher, the earlier a position is closed."""
    equity, profit, notional = solid(holder, price), holder.profit(market, price), holder.notional_of(market, price)
    if ranking == "binance":
        profits = sum(holder.profit(m, price) for m in holder.size)
        wallet = holder.equity(price) - profits
        return max(0.0, profits) / max(1.0, wallet) * holder.maintenance(price) / equity
    if ranking == "hyperliquid":
        side = 1.0 if holder.size[market] > 0.0 else -1.0
        return (price[market] / holder.entry[market]) ** side * notional / equity
    if ranking == "bitmex":
        size = abs(holder.size[market])
        gain = profit / (size if holder.inverse(market) else size * holder.entry[market])
        leverage = holder.notional(price) / equity
        return gain * leverage if gain > 0.0 else gain / leverage
    raise ValueError(ranking)


def shares(ranking: str, holders: list, market, price, quantity: float) -> list[float]:
    """Share of what is free of its position that each holder loses, if a quantity (USD at the initial price) has to go."""
    sizes = [holder.free(market) for holder in holders]
    total = sum(sizes)
    if total <= quantity:
        return [1.0] * len(holders)
    if ranking == "pro_rata":
        return [quantity / total] * len(holders)
    if ranking == "minimax_leverage":
        return _fill(holders, market, price, quantity, sizes)
    scores = [score(ranking, holder, market, price) for holder in holders]
    found, left = [0.0] * len(holders), quantity
    for level in sorted(set(scores), reverse=True):
        equal = [i for i, s in enumerate(scores) if s == level]
        here = sum(sizes[i] for i in equal)
        for i in equal:
            found[i] = min(1.0, left / here)
        left = max(0.0, left - here)
    return found


def _fill(holders, market, price, quantity, sizes):
    """Everybody above a leverage comes down to it, as far as the position goes; it is the one that the quantity is reached at."""

    def closed(level):
        over = [h.notional(price) - level * solid(h, price) for h in holders]
        worth = [h.notional_of(market, price) * h.free(market) / h.quantity(market) for h in holders]
        return [min(1.0, max(0.0, x / w)) for x, w in zip(over, worth, strict=True)]

    low, high = 0.0, max(h.notional(price) / solid(h, price) for h in holders)
    for _ in range(2000):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if sum(s * q for s, q in zip(closed(middle), sizes, strict=True)) > quantity:
            low = middle
        else:
            high = middle
    return closed(high)
