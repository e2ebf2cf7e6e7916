"""The request of the Logging API's entries.list (docs/contract.md 10.3)."""

from pydantic import Field

from api_schemas.errors import FieldViolation, InvalidArgument
from api_schemas.names import PROJECT_ID, shortened
from api_schemas.parsing import load_object, read_message
from api_schemas.scalars import Int32, Message, Text, Texts

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MAX_PROJECTS = 20
ORDERS = {"": False, "timestamp": False, "timestamp asc": False, "timestamp desc": True}
"""{orderBy: whether the newest entry comes first}."""


class ListLogEntriesRequest(Message):
    """Which entries are wanted."""

    resource_names: Texts = Field(default_factory=list)
    project_ids: Texts = Field(default_factory=list)
    """The older name of the same; ids without `projects/`."""
    filter: Text = ""
    order_by: Text = ""
    page_size: Int32 = 0
    page_token: Text = ""

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects that are named, each once."""
        named = [name.removeprefix("projects/") for name in self.resource_names]
        return tuple(dict.fromkeys([*named, *self.project_ids]))

    @property
    def descending(self) -> bool:
        return ORDERS[_plain(self.order_by)]

    @property
    def effective_page_size(self) -> int:
        return self.page_size or DEFAULT_PAGE_SIZE


def parse_list_entries(body: bytes) -> ListLogEntriesRequest:
    """Read the body of entries.list; `filter` and `page_token` are not looked into.

    Raises:
        InvalidArgument: it is no such request; each violation names a field.
    """
    request = read_message(load_object(body, "request"), ListLogEntriesRequest, "")
    violations = []
    for index, name in enumerate(request.resource_names):
        project = name.removeprefix("projects/")
        if project == name or not _is_project(project):
            wrong = f"'{shortened(name)}' is no project; entries are listed of projects, as projects/P."
            violations.append(FieldViolation(f"resource_names[{index}]", wrong))
    for index, project in enumerate(request.project_ids):
        if not _is_project(project):
            violations.append(
                FieldViolation(f"project_ids[{index}]", f"'{shortened(project)}' is no project.")
            )
    if not 1 <= len(request.projects) <= MAX_PROJECTS:
        wrong = f"Must name from 1 to {MAX_PROJECTS} projects, such as projects/P."
        violations.append(FieldViolation("resource_names", wrong))
    if _plain(request.order_by) not in ORDERS:
        wrong = f"'{shortened(request.order_by)}' is neither timestamp asc nor timestamp desc."
        violations.append(FieldViolation("order_by", wrong))
    if not 0 <= request.page_size <= MAX_PAGE_SIZE:
        violations.append(FieldViolation("page_size", f"Must be from 0 to {MAX_PAGE_SIZE}."))
    if violations:
        raise InvalidArgument(violations[:MAX_PROJECTS])
    return request


def _is_project(name: str) -> bool:
    return bool(PROJECT_ID.fullmatch(name)) and ".." not in name


def _plain(order_by: str) -> str:
    return " ".join(order_by.lower().split())
