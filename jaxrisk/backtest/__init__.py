"""Back-tests: what was forecast from what was known, what was observed, and how forecasts score.

- `events`: unwinds, each a file of what was known before it and observed after. Start with `events.event`, then `events.forecast`
  (the engine's), `events.competitors` (those without leverage), and `events.run`, which scores them.
- `days`: every day in turn, fitted anew each year to earlier days alone. Start with `days.run`.
- `replay`: the real price pinned as the mark: do positions liquidate when and as much as they did? Start with `replay.check`.
- `attribution`: how much of an observed unwind was the market's own leverage. Start with `attribution.whose_fall`.

`known` is what prices say before and during an unwind, `scores` what a forecast given as samples is worth, for all of them.
"""
