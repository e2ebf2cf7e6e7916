"""Query parameters that every method of v1 takes (docs/contract.md 1.1), and the refusal of those none takes.

They stand between the guard and the routes, which get to see their own parameters only: tokens and keys go no
further than here.
"""

from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import parse_qsl, urlencode

from pydantic.alias_generators import to_snake
from pydantic.json_schema import JsonSchemaValue
from starlette.types import ASGIApp, Receive, Scope, Send

from api_schemas.errors import ApiError, FieldViolation, InvalidArgument
from api_schemas.names import shortened
from api_schemas.schemas import WRITTEN, Schemas, message_schemas
from service.answers import PRESENTATION, JsonAnswer, Presentation
from service.field_mask import Mask, fitted, parse_mask
from service.methods import Method, QueryParameter, method_of

MAX_PARAMETERS = 100

SYSTEM_PARAMETERS = (
    QueryParameter("$.xgafv", "The form of errors; both are the same here.", values=("1", "2")),
    QueryParameter("access_token", "Not looked at."),
    QueryParameter("alt", "The form of the answer.", values=("json",)),
    QueryParameter("fields", "The fields that are wanted of the answer, such as: jobs(jobId,state)"),
    QueryParameter("key", "Not looked at."),
    QueryParameter("oauth_token", "Not looked at."),
    QueryParameter("prettyPrint", "Whether the answer is indented; it is not by default.", "boolean"),
    QueryParameter("quotaUser", "Not looked at."),
    QueryParameter("uploadType", "Not looked at."),
    QueryParameter("upload_protocol", "Not looked at."),
)
CALLBACK = "callback"
"""v1 had it too: it made a script of the answer, which another site's page could load and so read."""
SYSTEM_NAMES = frozenset({CALLBACK, *(parameter.name for parameter in SYSTEM_PARAMETERS)})
BOOLEANS = {"true": True, "false": False}


class SystemParameters:
    """ASGI middleware that reads the queries of requests to methods of v1, and refuses what is wrong."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = method_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        app = self._app
        if method is not None:
            try:
                own, presentation = read_query(method, scope["query_string"])
            except ApiError as error:
                app = JsonAnswer(error.body(), error.http_status)
            else:
                state = {**scope.get("state", {}), PRESENTATION: presentation}
                scope = {**scope, "query_string": urlencode(own).encode(), "state": state}
        await app(scope, receive, send)


def read_query(method: Method, query: bytes) -> tuple[dict[str, str], Presentation]:
    """The method's own parameters, in its own spelling, and how the answer is wanted.

    Raises:
        InvalidArgument: a parameter that the method does not have, that is given twice, or can't be served.
    """
    given = _canonical(method, query)
    system = {name: value for name, value in given.items() if name in SYSTEM_NAMES}
    violations = list(_violations(system))
    mask: Mask | None = None
    if system.get("fields"):
        try:
            mask = fitted(parse_mask(system["fields"]), *_answer(method))
        except ValueError as problem:
            violations.append(FieldViolation("fields", str(problem)))
    if violations:
        raise InvalidArgument(violations)
    own = {name: value for name, value in given.items() if name not in SYSTEM_NAMES}
    return own, Presentation(mask, BOOLEANS[system.get("prettyPrint", "false").lower()])


def _violations(system: dict[str, str]) -> Iterator[FieldViolation]:
    for parameter in SYSTEM_PARAMETERS:
        value = system.get(parameter.name)
        if value is not None and parameter.values and value not in parameter.values:
            known = " or ".join(parameter.values)
            yield FieldViolation(parameter.name, f"'{shortened(value)}' is not served; it can be {known}.")
    if CALLBACK in system:
        yield FieldViolation(CALLBACK, "Answers are JSON, never a script; leave it out.")
    if system.get("prettyPrint", "false").lower() not in BOOLEANS:
        yield FieldViolation("prettyPrint", "Must be true or false.")


def _canonical(method: Method, query: bytes) -> dict[str, str]:
    """{name: value}, whatever spelling a name was given in."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        wrong = f"A query has at most {MAX_PARAMETERS} parameters."
        raise InvalidArgument([FieldViolation("query", wrong)]) from error
    spellings = _spellings(method)
    given: dict[str, str] = {}
    unknown, twice = [], []
    for spelled, value in pairs:
        name = spellings.get(spelled)
        if name is None:
            unknown.append(shortened(spelled))
        elif name in given:
            twice.append(name)
        else:
            given[name] = value
    if unknown:
        raise _bad_names(
            unknown,
            lambda name: (
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                f"Field '{name}' could not be found in request message."
            ),
        )
    if twice:
        raise _bad_names(twice, lambda name: f"The query parameter '{name}' is given twice.")
    return given


def _bad_names(names: list[str], said: Callable[[str], str]) -> InvalidArgument:
    violations = [FieldViolation(name or "query", said(name)) for name in dict.fromkeys(names)]
    return InvalidArgument(violations, "\n".join(violation.description for violation in violations))


@cache
def _spellings(method: Method) -> dict[str, str]:
    names = [*SYSTEM_NAMES, *(parameter.name for parameter in method.query)]
    return {spelling: name for name in names for spelling in (to_snake(name), name)}


@cache
def _answer(method: Method) -> tuple[Schemas, JsonSchemaValue]:
    """The schemas of all that the method answers, and that of the answer itself."""
    names, schemas = message_schemas([(method.response, WRITTEN)])
    return schemas, schemas[names[method.response, WRITTEN]]
