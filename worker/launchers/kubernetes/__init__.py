"""Trials as Jobs of a Kubernetes cluster.

`names.py` says what things are called there, `pods.py` how pods are set up, `objects.py` turns an attempt
into objects, `states.py` reads from objects how it is; none of these asks or changes anything. `api.py`
speaks to the API server, `cache.py` hears from it all that changes, `finding.py` finds an attempt's objects
there or by asking, `watching.py` tells when pods end. `asking.py` says when they are asked for what they
print, `following.py` listens to it, `output.py` keeps it, and `printed.py` puts these together. `records.py`
keeps what is known of an attempt whatever becomes of its objects. `launcher.py` is the launcher.
"""
