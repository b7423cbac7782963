from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from ottserver.web.openapi import build_document
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Page, Reply, RequestModel, Route

Json = dict[str, Any]


class Film(RequestModel):
    title: str


class FilmView(BaseModel):
    film_id: str


async def _never(_call: Call[NoBody, NoQuery]) -> Reply:
    return Reply()


ROUTES = [
    Route("GET", "/api/v1/films", _never, "List", access=Access.PUBLIC, query=Page, answer=FilmView),
    Route(
        "POST", "/api/v1/films", _never, "Make", body=Film, answer=FilmView, status=201, errors=(409,), limit="sign-in"
    ),
    Route("DELETE", "/api/v1/films/{film_id}", _never, "Remove", access=Access.MANAGER, status=204),
    Route("GET", "/media/{ticket:[A-Za-z0-9_-]{8,64}}/{name:.+}", _never, "Bytes", access=Access.PUBLIC, raw=True),
    Route("GET", "/page", _never, "Page", access=Access.PUBLIC, hidden=True),
]


@pytest.fixture
def document() -> Json:
    found: Json = json.loads(json.dumps(build_document(ROUTES, "1.2.3")))
    return found


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for child in node.values() for found in _references(child)]
    return [found for child in node for found in _references(child)] if isinstance(node, list) else []


def test_every_route_that_is_not_hidden_is_described(document: Json) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {
        ("GET", "/api/v1/films"),
        ("POST", "/api/v1/films"),
        ("DELETE", "/api/v1/films/{film_id}"),
        ("GET", "/media/{ticket}/{name}"),
    }
    assert document["info"]["version"] == "1.2.3"


def test_every_reference_leads_to_a_valid_schema(document: Json) -> None:
    schemas = document["components"]["schemas"]
    references = _references(document)
    assert references
    for reference in references:
        assert jsonschema_rs.meta.is_valid(schemas[reference.removeprefix("#/components/schemas/")])


def test_operations_have_names_of_their_own(document: Json) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)


def test_operation_says_how_it_can_fail(document: Json) -> None:
    make = document["paths"]["/api/v1/films"]["post"]
    assert {"201", "400", "401", "403", "409", "413", "415", "422", "429"} <= set(make["responses"])
    assert make["security"] == [{"bearer": []}]
    assert "application/problem+json" in make["responses"]["422"]["content"]
    remove = document["paths"]["/api/v1/films/{film_id}"]["delete"]
    assert {"204", "401", "403", "404"} <= set(remove["responses"])
    assert "content" not in remove["responses"]["204"]


def test_parameters_are_described(document: Json) -> None:
    remove = document["paths"]["/api/v1/films/{film_id}"]["delete"]
    assert remove["parameters"][0]["schema"] == {"type": "string", "format": "uuid"}
    query = {one["name"]: one for one in document["paths"]["/api/v1/films"]["get"]["parameters"]}
    assert query["limit"]["schema"]["maximum"] == 100
    assert not query["limit"]["required"]
