"""An object store over plain files: what `gs://bucket/name` means when no cloud is used (docs/contract.md 9).

    <data>/objects/<bucket>/<name>           the content, under its own name: a trial may read and write here
    <data>/objects.meta/<bucket>/<hash>.json what a file can't say of itself: content type, checksums
    <data>/objects.uploads/                  what is not whole yet

`names.py` says which names there are, `tree.py` reaches files without following links, `records.py` keeps the
second tree, `files.py` reads and writes objects, `listing.py` lists them, `buckets.py` holds buckets,
`preconditions.py` the conditions that a request may set, and `uploads.py` what arrives piece by piece.

Service and worker both use it, at the same time and with trials writing beside them.
"""
