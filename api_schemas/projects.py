"""What projects.getConfig answers (docs/contract.md 1.2)."""

from api_schemas.scalars import Int64, Message, Text


class Config(Message):
    tpu_service_account: Text | None = None


class GetConfigResponse(Message):
    """The accounts that the old service acted as in a project."""

    service_account: Text | None = None
    service_account_project: Int64 | None = None
    config: Config | None = None
