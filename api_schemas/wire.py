"""Messages as JSON, in the canonical form of proto3 (docs/contract.md 1.7).

That is camelCase, int64 as strings, enums by name, and nothing that has its default value.
"""

from typing import Any

from api_schemas.scalars import Message


def to_wire(message: Message) -> dict[str, Any]:
    """The message as a JSON object. A nested message that was given stays, even when it is empty."""
    wire: dict[str, Any] = {}
    dumped = message.model_dump(by_alias=True)
    for name, field in type(message).model_fields.items():
        key = field.alias or name
        value = getattr(message, name)
        if isinstance(value, Message):
            wire[key] = to_wire(value)
        elif value is None or value == 0 or value in ("", [], {}):
            continue  # 0 is also False, 0.0 and an enum's default.
        elif isinstance(value, list) and isinstance(value[0], Message):
            wire[key] = [to_wire(item) for item in value]
        else:
            wire[key] = dumped[key]
    return wire
