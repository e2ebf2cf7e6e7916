"""The least a trainer needs: read flags, work in steps, append one line of JSON per step."""

import argparse
import json
import math
import os
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--learning-rate", type=float, default=0.1)
parser.add_argument("--dropout", type=float, default=0.0)
parser.add_argument("--job-dir", help="passed to every trainer; this one has nothing to keep there")
arguments = parser.parse_args()

# A formula stands in for training: the loss falls with every step towards a floor that the flags decide.
floor = (math.log10(arguments.learning_rate) + 2) ** 2 + (arguments.dropout - 0.3) ** 2
with open(os.environ.get("CLOUD_ML_HP_METRIC_FILE", "output.metrics"), "a") as metric_file:
    for step in range(1, 11):
        time.sleep(0.1)
        loss = floor + 1 / step
        line = {"timestamp": time.time(), "global_step": str(step), "loss": str(loss)}
        print(json.dumps(line), file=metric_file, flush=True)
        print(f"step {step}: loss {loss:.4f}", flush=True)
