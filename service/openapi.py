"""The OpenAPI document of the API, made from the table of methods and the messages (docs/reference/api.md).

FastAPI's own would know neither bodies nor answers: routes read and write JSON in its proto3 form, which has
more than one spelling. Cloud Storage's API is not in it; Google's own documents describe that one.
"""

from functools import cache
from http import HTTPStatus
from typing import Any

from api_schemas.errors import BAD_REQUEST
from api_schemas.names import PROJECT_ID
from api_schemas.schemas import REF, TAKEN, WRITTEN, message_schemas
from service.answers import JsonAnswer
from service.methods import SERVED, Method, QueryParameter
from service.system_parameters import SYSTEM_PARAMETERS

ERROR = "Error"
ANSWER_TYPE = JsonAnswer.media_type.partition(";")[0]
NAMES = {
    "project": {"type": "string", "pattern": f"^{PROJECT_ID.pattern}$"},
    # Any text may be asked for; of most there is no job.
    "job_id": {"type": "string"},
}
"""{part of a path: its schema}."""
MAY_BE_EMPTY = frozenset({"projects.jobs.cancel", "projects.jobs.testIamPermissions"})
"""Methods that need no body, though they take one."""
OTHERS = {
    "/healthz": ("healthz", "Tells that the process answers."),
    "/readyz": ("readyz", "Tells that the database answers."),
    "/discovery/v1/apis": ("discovery.apis.list", "Lists the discovery documents."),
    "/discovery/v1/apis/ml/v1/rest": ("discovery.apis.getRest", "Tells the discovery document."),
}
"""{path: what else it answers, without parameters}."""


@cache
def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    uses = [(method.response, WRITTEN) for method in SERVED]
    uses += [(method.request, TAKEN) for method in SERVED if method.request is not None]
    names, schemas = message_schemas(dict.fromkeys(uses))
    paths: dict[str, Any] = {
        path: {
            "get": {
                "operationId": name,
                "summary": name,
                "description": said,
                "responses": _responses({"type": "object"}),
            }
        }
        for path, (name, said) in OTHERS.items()
    }
    for method in SERVED:
        operation = _operation(method, _ref(names[method.response, WRITTEN]))
        if method.request is not None:
            operation["requestBody"] = {
                "required": method.id not in MAY_BE_EMPTY,
                "content": {"application/json": {"schema": _ref(names[method.request, TAKEN])}},
            }
        paths.setdefault(method.path, {})[method.verb.lower()] = operation
    paths["/batch"] = {"post": _batch()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vernier",
            "version": "v1",
            "description": "Training and hyperparameter tuning jobs. Fields may also be sent in snake_case, "
            "and enums in lower case.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**schemas, ERROR: _error()},
            "parameters": {parameter.name: _query(parameter) for parameter in SYSTEM_PARAMETERS},
        },
    }


def _operation(method: Method, answer: dict[str, Any]) -> dict[str, Any]:
    parts = [part.partition("}")[0] for part in method.path.split("{")[1:]]
    shared = [{"$ref": f"#/components/parameters/{parameter.name}"} for parameter in SYSTEM_PARAMETERS]
    return {
        "operationId": method.id,
        "summary": method.id,
        "description": method.description,
        "parameters": [*map(_name, parts), *map(_query, method.query), *shared],
        "responses": _responses(answer),
    }


def _responses(answer: dict[str, Any]) -> dict[str, Any]:
    told = {"description": "What went wrong.", "content": {ANSWER_TYPE: {"schema": _ref(ERROR)}}}
    return {
        str(HTTPStatus.OK.value): {"description": "Done.", "content": {ANSWER_TYPE: {"schema": answer}}},
        "4XX": told,
        "5XX": told,
    }


def _batch() -> dict[str, Any]:
    multipart = {"multipart/mixed": {"schema": {"type": "string"}}}
    responses = _responses({})
    responses["200"]["content"] = multipart
    return {
        "operationId": "batch",
        "summary": "batch",
        "description": "Up to 1000 requests in one, each a part of the type application/http.",
        "requestBody": {"required": True, "content": multipart},
        "responses": responses,
    }


def _name(part: str) -> dict[str, Any]:
    return {"name": part, "in": "path", "required": True, "schema": NAMES[part]}


def _query(parameter: QueryParameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type}
    if parameter.format is not None:
        schema["format"] = parameter.format
    if parameter.values:
        schema["enum"] = list(parameter.values)
    return {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}


def _error() -> dict[str, Any]:
    text = {"type": "string"}
    violation = _object({"field": text, "description": text}, "field", "description")
    bad_request = _object(
        {"@type": {"const": BAD_REQUEST}, "fieldViolations": {"type": "array", "items": violation}},
        "@type",
        "fieldViolations",
    )
    error = _object(
        {
            "code": {"type": "integer", "description": "The HTTP status."},
            "message": text,
            "status": {"type": "string", "description": "A name of google.rpc.Code."},
            "details": {"type": "array", "items": bad_request},
        },
        "code",
        "message",
        "status",
    )
    return _object({"error": error}, "error")


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": REF.format(model=name)}
