"""Trials as Jobs of a Kubernetes cluster.

`names.py` says what things are called there, `pods.py` how its pods are set up, `objects.py` turns an attempt
into objects. All of it is pure.
"""
