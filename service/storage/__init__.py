"""The JSON API of Cloud Storage over the service's own objects (docs/contract.md 9).

`app.py` says which paths are served, `buckets.py`, `objects.py`, `copies.py` and `uploads.py` hold HTTP only;
`media.py` sends content and reads Range, `multipart.py` takes a multipart body apart, `parameters.py` reads
the query, `wire.py` says how stored things look, `errors.py` how refusals do. The rules are those of
`store.objects`. Content is never held in memory, whatever its size.
"""
