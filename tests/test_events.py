from __future__ import annotations

import dataclasses
import inspect
import types
import typing

import pytest

from ottserver import events
from ottserver.backends.database.engine import adapter
from ottserver.events import FACTS, Fact

FACT_CLASSES = [
    kind
    for _, kind in inspect.getmembers(events, inspect.isclass)
    if issubclass(kind, Fact) and not kind.__subclasses__()
]


def _example(kind: object, depth: int = 0) -> object:
    """A value of a type, with no more in it than has to be."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if type(None) in arguments else _example(arguments[0], depth)
    if origin is typing.Literal:
        return arguments[0]
    if origin is tuple:
        return () if arguments[-1] is Ellipsis else tuple(_example(part, depth) for part in arguments)
    if origin in (list, dict, frozenset):
        return origin()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: _example(hints[field.name], depth + 1) for field in dataclasses.fields(kind)})
    return {str: "ü\u2028\0", int: 7, float: 0.1, bool: True}[kind]  # type: ignore[index] # a plain type is all that is left


def test_every_fact_is_known_by_its_name() -> None:
    assert {kind.__name__: kind for kind in FACT_CLASSES} == FACTS
    assert FACTS


@pytest.mark.parametrize("kind", FACT_CLASSES, ids=lambda kind: kind.__name__)
def test_fact_survives_the_outbox(kind: type[Fact]) -> None:
    fact = _example(kind)
    assert isinstance(fact, Fact)
    assert adapter(kind).validate_json(adapter(kind).dump_json(fact)) == fact


@pytest.mark.parametrize("kind", FACT_CLASSES, ids=lambda kind: kind.__name__)
def test_fact_fits_the_columns_that_name_it(kind: type[Fact]) -> None:
    fact = _example(kind)
    assert isinstance(fact, Fact)
    assert fact.AGGREGATE
    assert fact.key == getattr(fact, f"{fact.AGGREGATE}_id")
    assert len(kind.__name__) <= 64
    assert kind.VERSION >= 1


@pytest.mark.parametrize("kind", FACT_CLASSES, ids=lambda kind: kind.__name__)
def test_fact_does_not_change(kind: type[Fact]) -> None:
    fact = _example(kind)
    name = dataclasses.fields(kind)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(fact, name, "other")


@pytest.mark.parametrize("kind", FACT_CLASSES, ids=lambda kind: kind.__name__)
def test_fact_of_a_later_version_with_one_more_field_is_still_read(kind: type[Fact]) -> None:
    fact = _example(kind)
    assert isinstance(fact, Fact)
    later = adapter(kind).dump_json(fact)[:-1] + b', "added_later": 1}'
    assert adapter(kind).validate_json(later) == fact
