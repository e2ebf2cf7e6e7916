"""The discovery document: what Google's clients build themselves from (docs/contract.md 1.1).

It says what this service serves and no more, at the address that it was asked for.
"""

from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue

from api_schemas.errors import InvalidArgument, NotFound
from api_schemas.jobs import OUTPUT_ONLY, Job
from api_schemas.names import shortened
from api_schemas.schemas import WRITTEN, Schemas, message_schemas, name_of
from service.answers import JsonAnswer
from service.methods import METHODS, Method, QueryParameter
from service.system_parameters import SYSTEM_PARAMETERS

API, VERSION = "ml", "v1"
REST = f"discovery/v1/apis/{API}/{VERSION}/rest"
REVISION = "20261121"
"""The day on which what is described last changed."""
TITLE = "Vernier"
DESCRIPTION = "Training and hyperparameter tuning jobs, as AI Platform Training had them."
SCOPE = "https://www.googleapis.com/auth/cloud-platform"

OF_IAM = ("AuditConfig", "AuditLogConfig", "Binding", "Policy", "SetIamPolicyRequest")
OLD_NAMES = {
    "JobAnswer": "GoogleCloudMlV1__Job",
    "HyperparameterMetric": "GoogleCloudMlV1_HyperparameterOutput_HyperparameterMetric",
    "Empty": "GoogleProtobuf__Empty",
    "Expr": "GoogleType__Expr",
    "TestIamPermissionsRequest": "GoogleIamV1__TestIamPermissionsRequest",
    "TestIamPermissionsResponse": "GoogleIamV1__TestIamPermissionsResponse",
    **{name: f"GoogleIamV1__{name}" for name in OF_IAM},
}
"""What v1 called messages whose name is not `GoogleCloudMlV1__` and ours."""


def discovery_routes() -> APIRouter:
    """The document, at both of the addresses that clients look for it, and the list of all there are."""
    routes = APIRouter(default_response_class=JsonAnswer)

    @routes.get("/$discovery/rest", summary="the discovery document")
    def rest(request: Request, version: Annotated[str, Query()] = VERSION) -> JsonAnswer:
        return _document(request, API, version)

    @routes.get("/discovery/v1/apis/{api}/{version}/rest", summary="the discovery document")
    def rest_of(request: Request, api: str, version: str) -> JsonAnswer:
        return _document(request, api, version)

    @routes.get("/discovery/v1/apis", summary="the list of discovery documents")
    def apis(request: Request) -> JsonAnswer:
        return JsonAnswer(directory(own_address(request)))

    return routes


def _document(request: Request, api: str, version: str) -> JsonAnswer:
    if (api, version) != (API, VERSION):
        raise NotFound(f"There is no API {shortened(api)} {shortened(version)} here, only {API} {VERSION}.")
    return JsonAnswer(document(own_address(request)))


def own_address(request: Request) -> str:
    """`http://host:port/`, as the request was addressed. The guard has seen that the host is one of ours.

    Raises:
        InvalidArgument: the rest of its Host header is no port.
    """
    parts = urlsplit(f"//{request.headers['host']}")
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidArgument([], "The Host header has no port that can be.") from error
    host = f"[{host}]" if ":" in host else host
    return f"{request.url.scheme}://{host}/" if port is None else f"{request.url.scheme}://{host}:{port}/"


def directory(address: str) -> dict[str, Any]:
    """The list of the APIs that are described, as Google's directory has it."""
    item = {
        "kind": "discovery#directoryItem",
        "id": f"{API}:{VERSION}",
        "name": API,
        "version": VERSION,
        "title": TITLE,
        "description": DESCRIPTION,
        "discoveryRestUrl": f"{address}{REST}",
        "preferred": True,
    }
    return {"kind": "discovery#directoryList", "discoveryVersion": "v1", "items": [item]}


def document(address: str) -> dict[str, Any]:
    """The whole document.

    Args:
        address: where the service is, ending in a slash.
    """
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"{API}:{VERSION}",
        "name": API,
        "canonicalName": "Cloud Machine Learning Engine",
        "version": VERSION,
        "version_module": True,
        "revision": REVISION,
        "title": TITLE,
        "description": DESCRIPTION,
        "ownerDomain": "google.com",  # Generated clients name their packages by these two.
        "ownerName": "Google",
        "protocol": "rest",
        "rootUrl": address,
        "baseUrl": address,
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "fullyEncodeReservedExpansion": True,
        "auth": {"oauth2": {"scopes": {SCOPE: {"description": "Not looked at."}}}},
        "parameters": {parameter.name: _parameter(parameter) for parameter in SYSTEM_PARAMETERS},
        "schemas": _schemas(),
        "resources": _resources(),
    }


@cache
def _resources() -> dict[str, Any]:
    top: dict[str, Any] = {}
    for method in sorted(METHODS, key=lambda method: method.id):
        *path, name = method.id.split(".")
        place: dict[str, Any] = {"resources": top}
        for part in path:
            place = place.setdefault("resources", {}).setdefault(part, {})
        place.setdefault("methods", {})[name] = _method(method)
    return top


def _method(method: Method) -> dict[str, Any]:
    path = method.path.removeprefix("/")
    resource, suffix = path.removeprefix("v1/").rpartition("}")[::2]
    pattern = "^" + "/".join(part if part[0] != "{" else "[^/]+" for part in f"{resource}}}".split("/")) + "$"
    name = {
        "type": "string",
        "location": "path",
        "required": True,
        "pattern": pattern,
        "description": "Required. The resource, by its full name.",
    }
    described: dict[str, Any] = {
        "id": f"{API}.{method.id}",
        "description": method.description,
        "httpMethod": method.verb,
        "path": f"v1/{{+{method.argument}}}{suffix}",
        "flatPath": path.replace("{project}", "{projectsId}").replace("{job_id}", "{jobsId}"),
        "parameterOrder": [method.argument],
        "parameters": {method.argument: name, **{each.name: _parameter(each) for each in method.query}},
        "response": {"$ref": _old_name(method.response.__name__)},
        "scopes": [SCOPE],
    }
    if method.request is not None:
        described["request"] = {"$ref": _old_name(method.request.__name__)}
    return described


def _parameter(parameter: QueryParameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "location": "query",
        "type": parameter.type,
        "description": parameter.description,
    }
    if parameter.format is not None:
        described["format"] = parameter.format
    if parameter.values:
        described["enum"] = list(parameter.values)
    return described


@cache
def _schemas() -> Schemas:
    # A posted job is described as an answered one: v1 had one message for both.
    models = {method.response for method in METHODS}
    models |= {method.request for method in METHODS if method.request not in (None, Job)}
    _, schemas = message_schemas((model, WRITTEN) for model in models)
    described = {}
    for name, schema in schemas.items():
        if "properties" in schema:
            fields = {field: _field(schemas, inner) for field, inner in schema["properties"].items()}
            described[_old_name(name)] = {
                "id": _old_name(name),
                "type": "object",
                "description": schema.get("description", ""),
                "properties": fields,
            }
    for field in OUTPUT_ONLY:
        described[_old_name("Job")]["properties"].get(to_camel(field), {})["readOnly"] = True
    return dict(sorted(described.items()))


def _field(schemas: Schemas, schema: JsonSchemaValue) -> JsonSchemaValue:
    """A field in the dialect of discovery, which is an old draft of JSON Schema."""
    if "$ref" in schema:
        behind = schemas[name_of(schema)]
        return _field(schemas, behind) if "enum" in behind else {"$ref": _old_name(name_of(schema))}
    if "anyOf" in schema:
        # Of a double, which is also written as a string if JSON has no number for it.
        return _field(schemas, schema["anyOf"][0])
    described = {
        key: value for key, value in schema.items() if key in ("type", "format", "enum", "description")
    }
    for inside in ("items", "additionalProperties"):
        if inside in schema:
            described[inside] = _field(schemas, schema[inside])
    return described


def _old_name(name: str) -> str:
    return OLD_NAMES.get(name, f"GoogleCloudMlV1__{name}")
