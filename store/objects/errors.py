"""Why the object store refuses.

ObjectStoreError
├── InvalidName         no bucket or object can have this name here
├── NameTaken           the name needs a file where a directory is, or the other way round
├── NoSuchBucket
├── NoSuchObject
├── NoSuchUpload        unknown, given up or expired
├── BucketExists
├── BucketNotEmpty
├── PreconditionFailed  the object is not in the state that the caller asked for
├── ContentMismatch     what arrived is not what was announced
├── TooLarge
├── TooManyUploads      as many as may be are begun and not finished
└── UploadBusy          two at once write to one place; the next try may find it free
"""


class ObjectStoreError(Exception):
    """A refusal; the message is a sentence for the caller."""


class InvalidName(ObjectStoreError):
    pass


class NameTaken(ObjectStoreError):
    pass


class NoSuchBucket(ObjectStoreError):
    pass


class NoSuchObject(ObjectStoreError):
    pass


class NoSuchUpload(ObjectStoreError):
    pass


class BucketExists(ObjectStoreError):
    pass


class BucketNotEmpty(ObjectStoreError):
    pass


class PreconditionFailed(ObjectStoreError):
    """`unchanged` is true when the object is still the one that the caller has: to a read, 304."""

    def __init__(self, message: str, unchanged: bool = False) -> None:
        super().__init__(message)
        self.unchanged = unchanged


class ContentMismatch(ObjectStoreError):
    pass


class TooLarge(ObjectStoreError):
    pass


class TooManyUploads(ObjectStoreError):
    pass


class UploadBusy(ObjectStoreError):
    pass
