"""Conditions on the state of an object, under which alone a request is to be carried out."""

from dataclasses import dataclass

from store.objects.errors import PreconditionFailed
from store.objects.records import StoredObject


@dataclass(frozen=True, slots=True)
class Preconditions:
    """None where nothing is asked. Generation 0 stands for "there is no such object"."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None
    not_metageneration: int | None = None

    def check(self, current: StoredObject | None) -> None:
        """
        Raises:
            PreconditionFailed: the object, or its absence, is not what was asked for.
        """
        generation = 0 if current is None else current.generation
        metageneration = 0 if current is None else current.about.metageneration
        if self.generation not in (None, generation) or self.metageneration not in (None, metageneration):
            raise PreconditionFailed("At least one of the pre-conditions you specified did not hold.")
        if generation == self.not_generation or metageneration == self.not_metageneration:
            raise PreconditionFailed("The object is the one you have.", unchanged=True)


ANYHOW = Preconditions()
