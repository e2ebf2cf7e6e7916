"""The trainer that the jobs of these tests run; what it does is told by its arguments."""

SOURCE = r"""
import argparse
import json
import os
import pathlib
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--job-dir", default="")
parser.add_argument("--note", default="")
parser.add_argument("--report", choices=("nothing", "hypertune", "events"), default="nothing")
parser.add_argument("--reports", type=int, default=1)
parser.add_argument("--silent-trial", default="")
parser.add_argument("--hold", default="")
parser.add_argument("--fail", action="store_true")
parser.add_argument("--x", type=float, default=0.5)
parser.add_argument("--batch_size", type=int, default=1)
given = parser.parse_args()

trial = os.environ.get("CLOUD_ML_TRIAL_ID", "")
print(f"x is {given.x:g}, {given.note}", flush=True)
if given.note:
    folder = pathlib.Path(given.note)
    seen = {
        "argv": sys.argv[1:],
        "batch_size": given.batch_size,
        "TF_CONFIG": json.loads(os.environ["TF_CONFIG"]),
        "CLOUD_ML_TRIAL_ID": os.environ.get("CLOUD_ML_TRIAL_ID"),
    }
    (folder / f"seen-{trial or 'plain'}.json").write_text(json.dumps(seen))
while given.hold and not pathlib.Path(given.hold).exists():
    time.sleep(0.02)
if given.fail:
    raise RuntimeError("no convergence")
if given.report == "hypertune" and trial != given.silent_trial:
    import hypertune

    for step in range(1, given.reports + 1):
        hypertune.HyperTune().report_hyperparameter_tuning_metric("score", given.x + step, global_step=step)
if given.report == "events" and trial != given.silent_trial:
    from tensorboard.summary import Writer

    # Where Estimators write their evaluations, below what the service gave as the trial's own directory.
    writer = Writer(os.path.join(given.job_dir, "eval"))
    for step in range(1, given.reports + 1):
        writer.add_scalar("score", given.x + step, step)
    writer.close()
"""
