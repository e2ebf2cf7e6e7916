"""The `vernier` command: the only place that puts service and worker together.

`main.py` is the command's tree; `jobs.py` the verbs of gcloud; `submit.py` the rules by which flags and a
job file become a job. `parts.py` has the parts of the service: `embedded.py` makes one process of them all,
which `serve.py` and `demo.py` run, `processes.py` a process of each; `data_folder.py` says who may use what;
`db.py` looks after the database.

May import anything of ours.
"""
