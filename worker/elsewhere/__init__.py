"""Object stores elsewhere: what gs:// means when that is Google's, and s3://.

    remote.py   what the worker asks of such a store
    google.py   Google Cloud Storage
    s3.py       S3, Amazon's or another
    stores.py   which of them a place is in

Only what the worker needs is here: whole packages, and pieces of event files. Their libraries may be missing,
and are loaded when they are first used.
"""
