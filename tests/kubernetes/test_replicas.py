"""The replicas of a trial on a real node find each other by what their variables say."""

import json

import pytest

from tests.kubernetes.images import PYTHON
from tests.kubernetes.platform import KubernetesPlatform
from tests.worker.launcher_contract import end_of
from worker.cluster import PRIMARY, Cluster, Replica, Role
from worker.launchers.protocol import Container, Stream

WORKERS = tuple(Replica(Role.WORKER, index) for index in range(2))
MEET = """
import json, os, socket, threading, time

def connected(host, port):
    for _ in range(300):
        try:
            return socket.create_connection((host, int(port)), 5)
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody at {host}:{port}")

def said(connection):
    with connection, connection.makefile() as file:
        return file.read()

# As parameter servers and TensorFlow's strategies do: each listens where TF_CONFIG says, and talks to all.
config = json.loads(os.environ["TF_CONFIG"])
task, cluster = config["task"], config["cluster"]
own = cluster[task["type"]][task["index"]]
server = socket.create_server(("", int(own.rpartition(":")[2])))
members = [(role, index, where) for role, all_ in cluster.items() for index, where in enumerate(all_)]

def answer():
    while True:
        other, _ = server.accept()
        with other:
            other.sendall(f"{task['type']} {task['index']}".encode())

threading.Thread(target=answer, daemon=True).start()
for role, index, where in members:
    assert said(connected(*where.rsplit(":", 1))) == f"{role} {index}", where
spec = json.loads(os.environ["CLUSTER_SPEC"])
assert spec["cluster"] == {"master": cluster["chief"], "worker": cluster["worker"]}
assert (spec["task"]["index"], spec["task"]["trial"]) == (task["index"], task["trial"])

# As PyTorch's env:// does: those with a rank meet at the first.
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
assert os.environ["JAX_COORDINATOR_ADDRESS"] == ":".join(place)
assert (os.environ["JAX_NUM_PROCESSES"], os.environ["JAX_PROCESS_ID"]) == (str(size), str(rank))
def tell(ranks):
    told = [os.environ["LOCAL_RANK"], os.environ["LOCAL_WORLD_SIZE"], task["type"], task["index"]]
    print(json.dumps([ranks, rank, *told]), flush=True)

if rank == 0:
    meeting = socket.create_server(("", int(place[1])))
    others = [meeting.accept()[0].makefile("rw") for _ in range(size - 1)]
    ranks = sorted(int(each.readline()) for each in others)
    tell(ranks)
    for each in others:
        print(ranks, file=each, flush=True)
    # Its end is theirs, too.
    assert [each.readline() for each in others] == ["told\\n"] * len(others)
else:
    first = connected(*place).makefile("rw")
    print(rank, file=first, flush=True)
    tell(json.loads(first.readline()))
    print("told", file=first, flush=True)
    time.sleep(1000)
"""


@pytest.mark.timeout(180)
def test_three_replicas_meet_where_their_variables_say(platform: KubernetesPlatform) -> None:
    program = Container(PYTHON, ("python3", "-c"), (MEET,))
    spec = platform.spec(
        "",
        cluster=Cluster((PRIMARY, *WORKERS), trial="1", runs_container=True),
        containers={Role.MASTER: program, Role.WORKER: program},
    )
    launcher = platform.launcher()
    launcher.launch(spec)
    end = end_of(launcher, spec.ref)
    told = [launcher.read_output(spec.ref, Stream.OUT, 0, 1000, each) for each in (PRIMARY, *WORKERS)]
    assert end.exit_code == 0, told
    assert [json.loads(each) for each in told] == [
        [[1, 2], 0, "0", "1", "chief", 0],
        [[1, 2], 1, "0", "1", "worker", 0],
        [[1, 2], 2, "0", "1", "worker", 1],
    ]
