"""Metric readers: what a trial wrote, turned into measurements while it runs.

    watch.py           read_new(): everything new since a cursor; the one entry point
    event_files.py     finds TensorBoard event files and follows each from a byte offset
    tfrecord.py        cuts bytes into records, around truncated tails and damage
    scalar_events.py   takes one tag's scalars out of records
    hypertune.py       reads the file that cloudml-hypertune rewrites
    regular_file.py    opens files whose path another program controls
    measurement.py     Measurement: step, value, wall time, source
    mirror.py          brings event files from an object store elsewhere, for the others to read
    mirrors.py         does so beside the looks at jobs, which never wait long for a store

Reading is a function of the files and of a cursor that the caller keeps; nothing but the mirrors keeps state,
writes, or raises. Imports nothing of ours but its own modules; the mirrors also `worker.elsewhere` and what
names objects.
"""
