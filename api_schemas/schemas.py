"""JSON Schemas of the messages, made from the messages: for the documents that describe the API."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from api_schemas.scalars import Message

REF = "#/components/schemas/{model}"

Schemas = dict[str, JsonSchemaValue]
Use = Literal["validation", "serialization"]
TAKEN: Use = "validation"
"""What may be sent: also numbers as strings, and null for what is absent."""
WRITTEN: Use = "serialization"
"""What is answered: the one canonical form."""


def message_schemas(
    uses: Iterable[tuple[type[Message], Use]],
) -> tuple[dict[tuple[type[Message], Use], str], Schemas]:
    """The name of each message in each use, and {name: schema}, those of nested messages included.

    A message with two uses that differ has two names. References are of the form `REF`.
    """
    refs, top = models_json_schema(
        [(model, use) for model, use in uses], by_alias=True, ref_template=REF, schema_generator=_Generator
    )
    # Every message has fields enough to be a definition of its own, so each is a reference.
    names = {(model, use): name_of(ref) for (model, use), ref in refs.items()}
    schemas: Schemas = top.get("$defs", {})
    return names, schemas  # type: ignore[return-value]


def name_of(schema: JsonSchemaValue) -> str:
    """The name that a reference refers to."""
    return str(schema["$ref"]).rpartition("/")[2]


class _Generator(GenerateJsonSchema):
    """Leaves out what says nothing: titles made from names, and defaults, which all mean 'absent'."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if self.mode == TAKEN and schema["schema"]["type"] in ("list", "dict"):
            # proto3 JSON: null is absent, also where absent means empty.
            return {"anyOf": [inner, {"type": "null"}]}
        return inner

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        if self.mode == WRITTEN:
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)
