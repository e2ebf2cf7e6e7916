"""A small neural network for handwritten digits; `python -m trainer.task --help` lists its flags."""

import os

# Trials share the machine, so each keeps to one core. The numeric libraries read these when they are first
# imported, and Python runs this file before trainer/task.py can import them.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
