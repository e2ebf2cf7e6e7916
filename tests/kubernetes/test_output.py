"""What trials print is kept, all of it and once, on a real node that keeps no more of it than it must."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.images import PYTHON
from tests.kubernetes.node import Cluster
from tests.kubernetes.platform import KubernetesPlatform
from tests.running_service import RunningService, wait_until
from tests.worker.launcher_contract import lines
from worker.launchers.kubernetes.objects import CONTAINER
from worker.launchers.protocol import AttemptPhase, AttemptRef, Stream

LINE = "{:06d} " + "x" * 3990
MANY = 600
"""More than its node keeps: it begins a new log every three seconds, once the last has a mebibyte."""

TALKATIVE = f"""
import itertools, os, sys, time
number = itertools.count()
def talk(count, seconds, line={LINE!r}):
    for _ in range(count):
        # On both streams, which the node writes into one log.
        where = sys.stderr if next(turn) % 7 == 0 else sys.stdout
        print(line.format(next(number)), file=where, flush=True)
        time.sleep(seconds)
turn = itertools.count()
"""


def test_all_is_kept_of_what_prints_more_than_its_node_keeps(platform: KubernetesPlatform) -> None:
    source = f"""
{TALKATIVE}
print('begins', flush=True)
while not (folder / 'heard').exists(): time.sleep(0.02)
while not (folder / 'go').exists(): talk(10, 0.006)
tell('last', next(number))
"""
    spec = platform.spec(source)
    launcher = platform.launcher()
    launcher.launch(spec)

    def look() -> AttemptPhase:
        launcher.read_output(spec.ref, Stream.OUT, 0, 1)
        return launcher.observe([spec.ref])[spec.ref].phase

    wait_until(lambda: look() and launcher.read_output(spec.ref, Stream.OUT, 0, 6) == b"begins")
    (platform.folder / "heard").touch()
    wait_until(lambda: look() and not _begins(platform, b"begins"), 60)
    (platform.folder / "go").touch()
    wait_until(lambda: look() is AttemptPhase.ENDED, 60)
    (last,) = lines(platform.folder, "last")
    assert _missing(launcher.read_output(spec.ref, Stream.OUT, 0, 10**8), int(last)) == []


def _begins(platform: KubernetesPlatform, word: bytes) -> bool:
    """Whether what the node has of the only pod's log begins with a line of this word."""
    (pod,) = platform.pods()
    return word in next(platform.api.log(pod["metadata"]["name"], CONTAINER, None), b"")


def test_what_the_node_let_go_of_while_nobody_listened_is_told(platform: KubernetesPlatform) -> None:
    source = f"""
print('begun', flush=True); tell('begun'); wait_for('go')
{TALKATIVE}
talk({MANY}, 0.006)
tell('done'); wait_for('end')
talk(1, 0)
"""
    spec = platform.spec(source)
    first = platform.launcher()
    first.launch(spec)
    wait_until(lambda: first.read_output(spec.ref, Stream.OUT, 0, 100) == b"begun\n", 30)
    first.close()
    (platform.folder / "go").touch()
    wait_until(lambda: (platform.folder / "done").exists(), 60)
    wait_until(lambda: not _begins(platform, b"begun"), 30)
    second = platform.launcher()
    (platform.folder / "end").touch()
    wait_until(lambda: second.observe([spec.ref])[spec.ref].phase is AttemptPhase.ENDED, 60)
    kept = second.read_output(spec.ref, Stream.OUT, 0, 10**8)
    assert kept.startswith(b"begun\n[vernier] Output may be missing here: ")
    numbers = _numbers(kept.partition(b"before it was read.\n")[2])
    assert 0 < numbers[0] <= numbers[-1] == MANY


def _missing(output: bytes, count: int) -> list[int]:
    """Which of so many lines are not there; those that are twice count, too."""
    numbers = _numbers(output)
    twice = {one for one, next_ in itertools.pairwise(numbers) if one == next_}
    return sorted(set(range(count)) ^ set(numbers) | twice)


def _numbers(output: bytes) -> list[int]:
    """The numbers of the lines, in order: what a node writes of two streams is only nearly."""
    return sorted(int(line[:6]) for line in output.splitlines() if line[:6].isdigit())


@pytest.mark.timeout(300)
def test_a_service_that_is_killed_while_trials_print_loses_nothing(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig("admin")))
    data, out = tmp_path / "data", tmp_path / "data" / "out"
    settings: dict[str, str | float] = {
        "launcher": "kubernetes",
        "kubernetes_host_path": str(data),
        "kubernetes_cpu": "10m",
        "kubernetes_memory": "64Mi",
        "stop_grace_seconds": 1,
    }
    # It prints much, then little while the service is killed and comes back, then much again.
    source = f"""{TALKATIVE}
job_dir = sys.argv[sys.argv.index("--job-dir") + 1]
talk({MANY}, 0.006)
talk(40, 0.1, "{{:06d}} a little")
open(os.path.join(job_dir, "little"), "w").close()
while not os.path.exists(os.path.join(job_dir, "go")):
    talk(1, 0.1, "{{:06d}} a little")
talk({MANY // 2}, 0.006)
open(os.path.join(job_dir, f"last-{{next(number)}}"), "w").close()
"""
    config = {"imageUri": PYTHON, "containerCommand": ["python3", "-c", source]}
    job = {
        "jobId": "talks",
        "trainingInput": {
            "region": "local",
            "scaleTier": "CUSTOM",
            "masterType": "standard",
            "masterConfig": config,
            "jobDir": str(out),
        },
    }
    with RunningService(data, **settings) as service, service.client() as http:
        answer = http.post("/jobs", json=job)
        assert answer.status_code == 200, answer.text
        wait_until(lambda: (out / "little").exists(), 60)
        service.kill()
    with RunningService(data, **settings) as service, service.client() as http:
        newest = _newest(http)
        wait_until(lambda: _newest(http) > newest, 60)
        (out / "go").touch()
        wait_until(lambda: http.get("/jobs/talks").json()["state"] == "SUCCEEDED", 90)
        messages = _messages(http)
    (last,) = [int(each.name.partition("-")[2]) for each in out.glob("last-*")]
    assert _missing("\n".join(messages).encode(), last) == []


def _newest(http: Any) -> int:
    """The number of the line that the job's log got last."""
    messages, _ = _page(http, orderBy="timestamp desc", pageSize=1)
    return max(_numbers(messages[0].encode()))


def _messages(http: Any) -> list[str]:
    """What the job's log has of what its trainer printed, in order."""
    found, token = _page(http)
    while token:
        more, token = _page(http, pageToken=token)
        found += more
    return found


def _page(http: Any, **asked: Any) -> tuple[list[str], str]:
    """The messages of one page, and what to ask for the next one with."""
    where = 'resource.labels.job_id="talks" AND resource.labels.task_name="master-replica-0"'
    body = {"resourceNames": ["projects/p"], "pageSize": 1000, "filter": where, **asked}
    answer = http.post(http.base_url.copy_with(path="/v2/entries:list"), json=body)
    assert answer.status_code == 200, answer.text
    page = json.loads(answer.content)
    messages = [entry["jsonPayload"]["message"] for entry in page.get("entries", ())]
    return messages, page.get("nextPageToken", "")


def test_a_last_line_without_its_end_is_kept(platform: KubernetesPlatform) -> None:
    spec = platform.spec("print('first'); print('last', end='', flush=True)")
    launcher = platform.launcher()
    launcher.launch(spec)
    wait_until(lambda: launcher.observe([spec.ref])[spec.ref].phase is AttemptPhase.ENDED, 30)
    assert _read(launcher, spec.ref).startswith(b"first\nlast")


def _read(launcher: Any, ref: AttemptRef) -> bytes:
    found: bytes = launcher.read_output(ref, Stream.OUT, 0, 1000)
    return found
