"""Matrices between assets, as written: pairs such as `"BTC/ETH" = 0.85`, or all rows."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails

from ...problems import nearest
from .values import Share, context_of, refused

SMALLEST_EIGENVALUE = 1e-10


def _form(value: Any) -> str | None:
    return "pairs" if isinstance(value, dict) else "rows" if isinstance(value, list) else None


def _pair(separator: str) -> Callable[[str, ValidationInfo], str]:
    """Checks the name of a pair of assets."""

    def check(pair: str, info: ValidationInfo) -> str:
        assets = context_of(info).assets
        known = [f"{a}{separator}{b}" for a in assets for b in assets if a != b]
        if pair not in known:
            raise refused(f'has to name two of the assets ({", ".join(assets)}) as "A{separator}B"', nearest(pair, known))
        return pair

    return check


def _once(pairs: dict[str, float]) -> dict[str, float]:
    """Of a symmetric matrix each pair is given one way round."""
    seen: dict[frozenset[str], str] = {}
    for pair, number in pairs.items():
        also = seen.setdefault(frozenset(pair.split("/")), pair)
        if also != pair:
            _refuse((f"is given twice, also as {also}", number), at=(pair,))
    return pairs


def _square(rows: list[Any], info: ValidationInfo) -> list[Any]:
    count = len(context_of(info).assets)
    if len(rows) != count or any(not isinstance(row, list) or len(row) != count for row in rows):
        raise refused(f"has to have {count} rows of {count} numbers, one for each asset")
    return rows


def _refuse(*said: tuple[str, Any], at: tuple[str, ...] = ()) -> None:
    errors = [InitErrorDetails(type=refused(text), loc=at, input=value) for text, value in said]
    if errors:
        raise ValidationError.from_exception_data("matrix", errors)


def _correlation(value: Any, info: ValidationInfo) -> Any:
    """Symmetric, ones on the diagonal, positive definite."""
    assets = context_of(info).assets
    matrix = as_matrix(value, assets)
    said = []
    if np.any(np.abs(np.diag(matrix) - 1.0) > 1e-9):
        said.append("has to have ones on its diagonal")
    asymmetry = np.abs(matrix - matrix.T)
    if np.any(asymmetry > 1e-9):
        i, j = np.unravel_index(np.argmax(asymmetry), asymmetry.shape)
        a, b = assets[int(i)], assets[int(j)]
        said.append(f"has to be symmetric; {a}/{b} is {matrix[i, j]:g} and {b}/{a} is {matrix[j, i]:g}")
    if not said and len(matrix):
        smallest = float(np.linalg.eigvalsh(matrix)[0])
        if smallest < SMALLEST_EIGENVALUE:
            said.append(f"has to be positive definite; its smallest eigenvalue is {smallest:.3g}")
    _refuse(*((text, value) for text in said))
    return value


def _diagonal(number: float) -> Callable[[Any, ValidationInfo], Any]:
    """Checks the diagonal of a matrix that is not symmetric."""

    def check(value: Any, info: ValidationInfo) -> Any:
        matrix = as_matrix(value, context_of(info).assets, "->", symmetric=False, diagonal=number)
        if np.any(np.abs(np.diag(matrix) - number) > 1e-9):
            raise refused(f"has to have {'ones' if number else 'zeros'} on its diagonal")
        return value

    return check


def _allowed(separator: str) -> dict[str, Any]:
    pair = f'{{"BTC{separator}ETH" = 0.5}}'
    return {"allowed": f"a table of pairs such as {pair}, or a matrix of one row and column for each asset"}


_Signed = Annotated[float, Field(ge=-1, le=1)]
_SoldToo = Annotated[float, Field(ge=0, le=10, json_schema_extra={"unit": "USD a forced dollar"})]
_FromTo = Annotated[str, AfterValidator(_pair("->"))]

Correlation = Annotated[
    Annotated[dict[Annotated[str, AfterValidator(_pair("/"))], _Signed], AfterValidator(_once), Tag("pairs")]
    | Annotated[list[list[_Signed]], BeforeValidator(_square), Tag("rows")],
    Discriminator(_form),
    AfterValidator(_correlation),
    Field(json_schema_extra=_allowed("/")),
]
"""A correlation matrix: symmetric, ones on the diagonal, positive definite."""

Cross = Annotated[
    Annotated[dict[_FromTo, Share], Tag("pairs")] | Annotated[list[list[Share]], BeforeValidator(_square), Tag("rows")],
    Discriminator(_form),
    AfterValidator(_diagonal(1.0)),
    Field(json_schema_extra=_allowed("->")),
]
"""Shares of one asset's volume that count for another: `"BTC->ETH"`, or rows of what counts for each asset."""

CommonHolders = Annotated[
    Annotated[dict[_FromTo, _SoldToo], Tag("pairs")] | Annotated[list[list[_SoldToo]], BeforeValidator(_square), Tag("rows")],
    Discriminator(_form),
    AfterValidator(_diagonal(0.0)),
    Field(json_schema_extra=_allowed("->")),
]
"""Dollars of one asset sold for each forced dollar of another: `"BTC->NDX"`, or rows of what is sold of each asset."""


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
