"""The OpenAPI 3.1 document, made from the same table of routes that serves the requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ottserver.web.problems import CONTENT_TYPE
from ottserver.web.routing import Access, NoBody, NoQuery, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")

Json = dict[str, Any]
Names = Mapping[Any, Json]
"""JSON schemas by (model, mode)."""


class ProblemField(BaseModel):
    """One field that is wrong."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemField] | None = None


def build_document(routes: Iterable[Route], version: str) -> Json:
    """The document for all routes that are not hidden."""
    shown = [route for route in routes if not route.hidden]
    wanted: set[tuple[type[BaseModel], JsonSchemaMode]] = {(Problem, "serialization")}
    for route in shown:
        if route.body is not NoBody:
            wanted.add((route.body, "validation"))
        if route.answer is not None:
            wanted.add((route.answer, "serialization"))
    models = sorted(wanted, key=lambda pair: (pair[0].__name__, pair[1]))
    names, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths: dict[str, Json] = {}
    for route in shown:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ottserver",
            "version": version,
            "description": "A streaming platform of one's own: accounts, plans, catalog, playback, uploads.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, names: Names) -> Json:
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [_tag(route.path)],
        "responses": _responses(route, names),
    }
    parameters = [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not NoBody:
        schema = names[route.body, "validation"]
        required = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    if route.takes is not None:
        operation["requestBody"] = {
            "required": False,
            "content": {route.takes: {"schema": {"type": "string", "format": "binary"}}},
        }
    if route.access is not Access.PUBLIC:
        operation["security"] = [{"bearer": []}]
    return operation


def _responses(route: Route, names: Names) -> Json:
    success: Json = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        success["content"] = {route.produces: {"schema": names[route.answer, "serialization"]}}
    elif route.produces != "application/json":
        success["content"] = {route.produces: {}}
    responses: Json = {str(route.status): success}
    for status in sorted(_failures(route)):
        responses[str(status)] = {
            "description": _phrase(status),
            "content": {CONTENT_TYPE: {"schema": names[Problem, "serialization"]}},
        }
    return responses


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused by a protocol of its own"  # such as 460, which tus has for a wrong checksum


def _failures(route: Route) -> set[int]:
    found = set(route.errors)
    if route.access is not Access.PUBLIC:
        found.add(401)
        if route.method not in ("GET", "HEAD"):
            found.add(403)
    if route.access is Access.MANAGER:
        found.add(403)
    if route.body is not NoBody:
        found |= {400, 413, 415, 422}
    if route.query is not NoQuery:
        found.add(422)
    if "{" in route.path:
        found.add(404)
    if route.limit is not None:
        found.add(403)
    if route.policy is not None:
        found.add(429)
    if route.access is not Access.PUBLIC or route.body is not NoBody:
        found.add(503)
    return found


def _path_parameters(route: Route) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"},
        }
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is NoQuery:
        return []
    schema = route.query.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema.get("properties", {}).items()
    ]


def _header_parameters(route: Route) -> list[Json]:
    return [
        {"name": field.name, "in": "header", "required": field.required, "schema": dict(field.schema)}
        for field in route.fields
    ]


def _operation_id(route: Route) -> str:
    words = re.findall(r"[A-Za-z0-9]+", _PARAMETER.sub(r"by_\1", route.path))
    return "_".join([route.method.lower(), *words])


def _tag(path: str) -> str:
    parts = [part for part in path.removeprefix("/api/v1").split("/") if part]
    return parts[0] if parts else "page"
