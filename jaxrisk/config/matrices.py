"""Matrices between assets, as written: pairs such as `"BTC/ETH" = 0.85`, or all rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .containers import gather
from .problems import nearest
from .values import Context, Kind, Number, Refusal, Refused

SMALLEST_EIGENVALUE = 1e-10
NO_PAIRS: dict[str, float] = {}
_SIGNED = Number("", at_least=-1.0, at_most=1.0)
_SHARE = Number("", at_least=0.0, at_most=1.0)
_DOLLARS = Number("", "USD a forced dollar", at_least=0.0, at_most=10.0)


@dataclass(frozen=True)
class _Matrix(Kind):
    separator: str = "/"
    entry: Number = _SIGNED
    symmetric: bool = True
    diagonal: float = 1.0

    @property
    def allowed(self) -> str:
        pair = f'{{"BTC{self.separator}ETH" = 0.5}}'
        return f"a table of pairs such as {pair}, or a matrix of one row and column for each asset"

    def read(self, value: Any, context: Context) -> Any:
        if isinstance(value, dict):
            read = self._pairs(value, context)
        elif isinstance(value, list):
            read = self._rows(value, context)
        else:
            raise self.refuse(value)
        self.check(value, as_matrix(read, context.assets, self.separator, self.symmetric, self.diagonal), context)
        return read

    def check(self, value: Any, matrix: np.ndarray, context: Context) -> None:
        """Refuse what is wrong with the matrix as a whole."""

    def _pairs(self, pairs: dict, context: Context) -> dict[str, float]:
        refusals, seen, good = [], {}, []
        known = [f"{a}{self.separator}{b}" for a in context.assets for b in context.assets if a != b]
        for pair, number in pairs.items():
            if pair not in known:
                text = f'has to name two of the assets ({", ".join(context.assets)}) as "A{self.separator}B"'
                refusals.append(Refusal(f".{pair}", number, text, nearest(pair, known)))
                continue
            both = frozenset(pair.split(self.separator))
            if self.symmetric and both in seen:
                refusals.append(Refusal(f".{pair}", number, f"is given twice, also as {seen[both]}"))
            seen[both] = pair
            good.append((f".{pair}", number))
        try:
            numbers = gather(good, self.entry, context)
        except Refused as refused:
            raise Refused(*refusals, *refused.refusals) from None
        if refusals:
            raise Refused(*refusals)
        return dict(zip(pairs, numbers, strict=True))

    def _rows(self, rows: list, context: Context) -> list[list[float]]:
        count = len(context.assets)
        if len(rows) != count or any(not isinstance(row, list) or len(row) != count for row in rows):
            raise Refused(Refusal("", rows, f"has to have {count} rows of {count} numbers, one for each asset"))
        flat = [(f".{i}.{j}", entry) for i, row in enumerate(rows) for j, entry in enumerate(row)]
        numbers = gather(flat, self.entry, context)
        return [numbers[i * count : (i + 1) * count] for i in range(count)]

    def json(self) -> dict[str, Any]:
        entry = self.entry.json()
        rows = {"type": "array", "items": {"type": "array", "items": entry}}
        return {"anyOf": [{"type": "object", "additionalProperties": entry}, rows]}


@dataclass(frozen=True)
class Correlation(_Matrix):
    """A correlation matrix: symmetric, ones on the diagonal, positive definite."""

    def check(self, value: Any, matrix: np.ndarray, context: Context) -> None:
        refusals = []
        if np.any(np.abs(np.diag(matrix) - 1.0) > 1e-9):
            refusals.append(Refusal("", value, "has to have ones on its diagonal"))
        asymmetry = np.abs(matrix - matrix.T)
        if np.any(asymmetry > 1e-9):
            i, j = np.unravel_index(np.argmax(asymmetry), asymmetry.shape)
            a, b = context.assets[int(i)], context.assets[int(j)]
            text = f"has to be symmetric; {a}/{b} is {matrix[i, j]:g} and {b}/{a} is {matrix[j, i]:g}"
            refusals.append(Refusal("", value, text))
        if not refusals and len(matrix):
            smallest = float(np.linalg.eigvalsh(matrix)[0])
            if smallest < SMALLEST_EIGENVALUE:
                text = f"has to be positive definite; its smallest eigenvalue is {smallest:.3g}"
                refusals.append(Refusal("", value, text))
        if refusals:
            raise Refused(*refusals)


@dataclass(frozen=True)
class Cross(_Matrix):
    """Shares of one asset's volume that count for another: `"BTC->ETH"`, or rows of what counts for each asset."""

    separator: str = "->"
    entry: Number = _SHARE
    symmetric: bool = False

    def check(self, value: Any, matrix: np.ndarray, context: Context) -> None:
        if np.any(np.abs(np.diag(matrix) - 1.0) > 1e-9):
            raise Refused(Refusal("", value, "has to have ones on its diagonal"))


@dataclass(frozen=True)
class CommonHolders(_Matrix):
    """Dollars of one asset sold for each forced dollar of another: `"BTC->NDX"`, or rows of what is sold of each asset."""

    separator: str = "->"
    entry: Number = _DOLLARS
    symmetric: bool = False
    diagonal: float = 0.0

    def check(self, value: Any, matrix: np.ndarray, context: Context) -> None:
        if np.any(np.diag(matrix) != 0.0):
            raise Refused(Refusal("", value, "has to have zeros on its diagonal"))


def as_matrix(
    value: Any, assets: tuple[str, ...], separator: str = "/", symmetric: bool = True, diagonal: float = 1.0
) -> np.ndarray:
    """The full matrix, ones (or what is given) on the diagonal; a pair `"A->B"` stands in row B, column A.

    >>> as_matrix({"BTC/ETH": 0.5}, ("BTC", "ETH")).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    if isinstance(value, list):
        return np.asarray(value, dtype=np.float64).reshape(len(assets), len(assets))
    matrix = diagonal * np.eye(len(assets))
    for pair, number in (value or {}).items():
        a, b = (assets.index(name) for name in pair.split(separator))
        matrix[b, a] = number
        if symmetric:
            matrix[a, b] = number
    return matrix
