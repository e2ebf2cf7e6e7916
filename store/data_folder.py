"""Which data folder a database belongs to: trials, packages and objects are there, and nowhere else."""

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.models import DataFolder

ONLY = 1


def claim_data_folder(session: Session, key: str, place: str) -> DataFolder:
    """Make the database that folder's, unless it has one; gives the one it has then.

    Args:
        key: the folder's own, wherever it is moved to.
        place: where it is, for people.
    """
    found = session.get(DataFolder, ONLY)
    if found is None:
        try:
            with session.begin_nested():
                session.add(DataFolder(id=ONLY, key=key, place=place))
        except IntegrityError:
            pass  # Another process was quicker.
        found = session.get_one(DataFolder, ONLY)
    if found.key == key and found.place != place:
        found.place = place
    return found


def forget_data_folder(session: Session) -> None:
    """Let the next folder that is used with the database be its own."""
    session.execute(delete(DataFolder))
