"""Numbers in JSON, which has neither NaN nor infinity: null for NaN, "inf" and "-inf" as words.

In free data (figure columns, the spec) a word could be somebody's name, so an infinity there is
`{"float": "inf"}`. NaN and None are one thing there: missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_WORDS = {"inf": math.inf, "-inf": -math.inf}


def encode_number(value: Any) -> float | str | None:
    """A float as JSON can hold it."""
    number = float(value)
    if math.isnan(number):
        return None
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return number


def decode_number(value: Any) -> Any:
    """The float that `encode_number` wrote; what it never writes is left for pydantic to refuse."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        return _WORDS.get(value, value)
    return float(value) if isinstance(value, Real) else value


Number = Annotated[
    float,
    BeforeValidator(decode_number),
    PlainSerializer(encode_number),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number"}, {"enum": ["inf", "-inf"]}, {"type": "null"}],
            "description": "null means not a number",
        }
    ),
]


def encode_free(value: Any) -> Any:
    """Any nest of mappings, sequences, words and numbers (arrays too) as JSON can hold it."""
    kind = type(value)  # the plain cases first: a card holds some 80,000 of them
    if kind is str or kind is int or value is None or kind is bool:
        return value
    if kind is float and math.isfinite(value):
        return value
    if kind is list or kind is tuple:
        return [encode_free(item) for item in value]
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): encode_free(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode_free(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((encode_free(item) for item in value), key=repr)
    if hasattr(value, "tolist"):  # an array or its scalar
        return encode_free(value.tolist())
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = encode_number(value)
        return {"float": number} if isinstance(number, str) else number
    return str(value)


def decode_free(value: Any) -> Any:
    """What `encode_free` wrote, with lists as tuples, so that it can be compared."""
    kind = type(value)
    if kind is float or kind is str or kind is int or value is None or kind is bool:
        return value
    if kind is list or kind is tuple:
        return tuple(map(decode_free, value))
    if isinstance(value, Mapping):
        if set(value) == {"float"} and value["float"] in _WORDS:
            return _WORDS[value["float"]]
        return {key: decode_free(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(decode_free(item) for item in value)
    return value


Free = Annotated[
    Any, BeforeValidator(decode_free), PlainSerializer(encode_free), WithJsonSchema({})
]
