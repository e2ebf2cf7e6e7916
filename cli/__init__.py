"""The `vernier` command: the only place that puts service and worker together.

`main.py` is the command's tree; `jobs.py` the verbs of gcloud; `submit.py` the rules by which flags and a
job file become a job; `embedded.py` the whole service in one process; `serve.py` and `demo.py` run it.

May import anything of ours.
"""
