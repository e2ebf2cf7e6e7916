"""The base of every model of the wire, and how one is written: proto3 JSON (CONTRACT.md 1.7).

A message's fields are named in snake_case here and in lowerCamelCase on the wire; both are read. Every default is
the zero of its type, so "was it given?" and "is it zero?" are one question, as in proto3, and an answer leaves
both out.
"""

from functools import cache
from typing import Annotated, Any

from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from api_schemas.quoting import quote
from api_schemas.scalars import Text


class Message(BaseModel):
    """A frozen message; unknown names are refused.

    Raises (on construction and on `model_validate`):
        pydantic.ValidationError: `api_schemas.parsing.read_message` words it for clients.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # By field name, as `_field_names` has renamed what it knows; so errors name fields in snake_case.
        validate_by_name=True,
        validate_by_alias=False,
        alias_generator=AliasGenerator(serialization_alias=to_camel),
    )

    @model_validator(mode="before")
    @classmethod
    def _field_names(cls, value: Any) -> Any:
        """Rename JSON names to field names, and drop nulls: null is absent."""
        if not isinstance(value, dict):
            return value
        fields: dict[str, Any] = {}
        given: dict[str, str] = {}
        known = _names(cls)
        for name, item in value.items():
            field = known.get(name)
            if field is None:
                fields[name] = item  # Left for pydantic to refuse.
            elif item is None:
                continue
            elif field in given:
                raise PydanticCustomError(
                    "given_twice",
                    "{first} and {second} are the same field",
                    {"first": quote(given[field]), "second": quote(name)},
                )
            else:
                fields[field] = item
                given[field] = name
        return fields


def to_wire(message: Message) -> dict[str, Any]:
    """The message as canonical proto3 JSON: camelCase, defaults left out, int64 as strings, enums by name."""
    return message.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None}
    return value


StringMap = Annotated[dict[Text, Text], BeforeValidator(_without_nulls)]
"""A map of strings; an entry that is null is no entry."""


@cache
def _names(message: type[Message]) -> dict[str, str]:
    names = {}
    for name, field in message.model_fields.items():
        names[name] = names[field.serialization_alias or name] = name
    return names
