"""Attempts as objects of Kubernetes: what they say, and that an API server takes them."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kubernetes.cluster import ControlPlane
from worker.cluster import PRIMARY, Cluster, Replica, Role
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.objects import addresses, objects_of, sealed
from worker.launchers.kubernetes.pods import TOLD_SECONDS, Accelerator, MachineType, PodSettings, Volume
from worker.launchers.protocol import (
    AttemptRef,
    AttemptSpec,
    Container,
    JobRef,
    LaunchFailed,
    Runtime,
)
from worker.resources import Share

REF = AttemptRef(JobRef("a-project", "My_Job"), trial=3, attempt=2)
WORKERS = tuple(Replica(Role.WORKER, index) for index in range(2))
OTHERS = (*WORKERS, Replica(Role.PS, 0), Replica(Role.EVALUATOR, 0))
CLUSTER = Cluster((PRIMARY, *OTHERS), trial="3", runs_container=True)
T4 = Accelerator(
    "nvidia.com/gpu",
    {"gpu": "t4"},
    ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
)
SETTINGS = PodSettings(
    image="registry.example/runtime:1",
    volume=Volume(Path("/data"), claim="vernier"),
    accelerators={"NVIDIA_TESLA_T4": T4, "SLICE": Accelerator("nvidia.com/mig-1g.10gb")},
)


def _spec(**given: Any) -> AttemptSpec:
    fixed: dict[str, Any] = {"ref": REF, "module": "trainer.task", "args": ("--lr=0.5",), "job_dir": None}
    return AttemptSpec(
        **(fixed | {"environment": {"CLOUD_ML_JOB_ID": "My_Job"}, "has_packages": False} | given)
    )


def _objects(spec: AttemptSpec, settings: PodSettings = SETTINGS) -> list[dict[str, Any]]:
    replicas = spec.cluster.replicas
    told = {"CLOUD_ML_HP_METRIC_FILE": "/hypertune"}
    directories = {
        each: {"/work": Path("/data") / each.name, "/data/out": Path("/data/out")} for each in replicas
    }
    return objects_of(spec, "o", "trials", settings, told, directories)


def _apart(made: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The Service, and the Jobs in their order."""
    (service,) = [each for each in made if each["kind"] == "Service"]
    return service, [each for each in made if each["kind"] == "Job"]


def _pod(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def _container(job: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = _pod(job)["containers"][0]
    return container


def _variables(job: dict[str, Any]) -> dict[str, str]:
    """As the trainer has them."""
    return {each["name"]: each["value"].replace("$$", "$") for each in _container(job)["env"]}


class TestNames:
    @pytest.mark.parametrize("job", ["a", "My_Job", "x" * 128, "A__" + "_" * 90, "_", "1job"])
    @pytest.mark.parametrize("replica", [PRIMARY, Replica(Role.EVALUATOR, 31)], ids=str)
    def test_any_job_and_replica_has_a_name_that_kubernetes_takes(self, job: str, replica: Replica) -> None:
        ref = AttemptRef(JobRef("p", job), 100_000, 12)
        for name in (names.replica_name("o", ref, replica), names.attempt_name("o", ref)):
            assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name), name

    def test_a_name_begins_with_what_a_reader_knows(self) -> None:
        assert names.replica_name("o", REF, PRIMARY).startswith("my-job-3-2-")

    def test_names_are_the_same_each_time_and_apart_for_whatever_is_apart(self) -> None:
        refs = [
            AttemptRef(JobRef(project, job), trial, attempt)
            for project in ("p", "q")
            for job in ("job_a", "job-a", "JOB_A", "x" * 60 + "a", "x" * 60 + "b")
            for trial in (1, 11)
            for attempt in (1, 11)
        ]
        made = [
            names.replica_name(owner, ref, replica)
            for owner in ("o", "p")
            for ref in refs
            for replica in (PRIMARY, *WORKERS)
        ]
        assert len(set(made)) == len(made)
        assert made[0] == names.replica_name("o", refs[0], PRIMARY)


class TestOneReplica:
    def test_it_is_one_job_that_runs_the_module(self) -> None:
        (job,) = _objects(_spec())
        assert job["kind"] == "Job"
        container = _container(job)
        assert container["command"] == ["python3", "-m", "trainer.task", "--lr=0.5"]
        assert container["image"] == SETTINGS.image
        assert container["workingDir"] == "/work"
        variables = _variables(job)
        assert variables["CLOUD_ML_JOB_ID"] == "My_Job"
        assert variables["CLOUD_ML_HP_METRIC_FILE"] == "/hypertune"
        assert json.loads(variables["TF_CONFIG"])["cluster"] == {"chief": ["127.0.0.1:2222"]}

    def test_it_is_marked_with_whose_it_is(self) -> None:
        (job,) = _objects(_spec())
        for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
            assert metadata["labels"] == names.labels("o", REF, PRIMARY)
            assert metadata["annotations"][names.PROJECT] == "a-project"
            assert metadata["annotations"][names.JOB_ID] == "My_Job"

    def test_nothing_is_put_in_for_what_looks_like_a_variable(self) -> None:
        odd = ("$(HOME)", "$$(HOME)", "$", "${HOME}", "a$")
        (job,) = _objects(_spec(args=odd, environment={"ODD": "$(PATH)$"}))
        assert _container(job)["command"][3:] == ["$$(HOME)", "$$$$(HOME)", "$$", "$${HOME}", "a$$"]
        assert {"name": "ODD", "value": "$$(PATH)$$"} in _container(job)["env"]

    def test_it_has_of_the_volume_what_is_its_own_and_what_is_for_all(self) -> None:
        volume = Volume(Path("/data"), claim="vernier", for_all=(Path("/data/sets"),))
        (job,) = _objects(_spec(), PodSettings("i", volume))
        assert _pod(job)["volumes"] == [{"name": "shared", "persistentVolumeClaim": {"claimName": "vernier"}}]
        mounts = {each["mountPath"]: each["subPath"] for each in _container(job)["volumeMounts"]}
        assert mounts == {
            "/work": "master-replica-0",
            "/data/out": "out",
            "/data/sets": "sets",
        }

    def test_it_has_as_variables_what_is_in_the_secrets_of_the_settings(self) -> None:
        (job,) = _objects(_spec(), replace(SETTINGS, secrets=("store", "more")))
        assert _container(job)["envFrom"] == [
            {"secretRef": {"name": "store"}},
            {"secretRef": {"name": "more"}},
        ]
        assert "envFrom" not in _container(_objects(_spec())[0])

    def test_without_a_volume_it_has_room_of_its_own_and_reports_by_its_last_words(self) -> None:
        (job,) = _objects(_spec(), replace(SETTINGS, volume=None))
        assert _pod(job)["volumes"] == [{"name": "shared", "emptyDir": {}}]
        assert {"name": "shared", "mountPath": "/work"} in _container(job)["volumeMounts"]
        assert _container(job)["terminationMessagePath"] == "/vernier/hypertune/output.metrics"
        assert "terminationMessagePath" not in _container(_objects(_spec())[0])

    def test_a_module_is_refused_where_there_is_no_image_for_it(self) -> None:
        settings = PodSettings(None, SETTINGS.volume)
        with pytest.raises(LaunchFailed, match="VERNIER_KUBERNETES_IMAGE"):
            _objects(_spec(), settings)
        assert _objects(_spec(containers={Role.MASTER: Container("i")}), settings)

    def test_an_image_keeps_its_entry_point_arguments_and_directory_unless_told(self) -> None:
        (job,) = _objects(_spec(containers={Role.MASTER: Container("i")}))
        assert not {"command", "args", "workingDir"} & _container(job).keys()
        (job,) = _objects(_spec(containers={Role.MASTER: Container("i", ("run",), ("-v",))}))
        container = _container(job)
        assert (container["image"], container["command"], container["args"]) == ("i", ["run"], ["-v"])

    def test_it_is_never_tried_again_but_for_what_the_cluster_did_to_it(self) -> None:
        (job,) = _objects(_spec(max_seconds=60.4))
        spec = job["spec"]
        assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (0, "Failed")
        assert "activeDeadlineSeconds" not in spec, "that would count while it waits for a node"
        assert _pod(job)["activeDeadlineSeconds"] == 60
        assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore", "FailJob"]
        (job,) = _objects(_spec(max_seconds=0.5))
        assert _pod(job)["activeDeadlineSeconds"] > TOLD_SECONDS
        (job,) = _objects(_spec())
        assert "activeDeadlineSeconds" not in _pod(job)

    def test_a_job_that_asks_for_memory_is_given_so_much_and_no_more(self) -> None:
        resources = _container(_objects(_spec(share=Share(3, memory=300)))[0])["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"] == "300Mi"
        made = _objects(_spec(share=Share(5, memory=1500), cluster=CLUSTER))
        for job in _apart(made)[1]:
            assert _container(job)["resources"]["limits"]["memory"] == "300Mi"
        assert _container(_objects(_spec())[0])["resources"]["limits"]["memory"] == SETTINGS.memory

    def test_a_type_of_accelerator_is_what_the_settings_say(self) -> None:
        (job,) = _objects(_spec(containers={Role.MASTER: Container("i", (), (), "NVIDIA_TESLA_T4", 2)}))
        assert _container(job)["resources"]["limits"]["nvidia.com/gpu"] == "2"
        assert _container(job)["resources"]["requests"]["nvidia.com/gpu"] == "2"
        assert _pod(job)["nodeSelector"] == {"gpu": "t4"}
        assert _pod(job)["tolerations"] == list(T4.tolerations)
        (job,) = _objects(_spec(containers={Role.MASTER: Container("i", (), (), "SLICE", 1)}))
        assert _container(job)["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == "1"

    def test_a_type_that_the_cluster_has_not_is_refused_by_name(self) -> None:
        with pytest.raises(LaunchFailed, match=r"no accelerator NVIDIA_X; it has: NVIDIA_TESLA_T4, SLICE"):
            _objects(_spec(containers={Role.MASTER: Container("i", (), (), "NVIDIA_X", 1)}))
        any_type = PodSettings("i", SETTINGS.volume)
        (job,) = _objects(_spec(containers={Role.MASTER: Container("i", (), (), "NVIDIA_X", 1)}), any_type)
        assert _container(job)["resources"]["limits"]["nvidia.com/gpu"] == "1"


class TestWhatAJobAsksFor:
    """Each is what the settings say that it is, or refused by its name."""

    SETTINGS = PodSettings(
        image="registry.example/any:1",
        volume=Volume(Path("/data"), claim="vernier"),
        runtimes={"2.11": "registry.example/tf:2.11", "2.11/3.7": "registry.example/tf:2.11-py37"},
        machines={
            "n1-highmem-8": MachineType(
                "8", "52Gi", {"pool": "highmem"}, ({"key": "pool", "operator": "Exists"},)
            ),
            "BASIC_GPU": MachineType(memory="26Gi"),
        },
        disk_types={"pd-ssd": {"disk": "ssd"}},
        service_accounts={"trainer@p.iam.gserviceaccount.com": "trainer"},
        priorities={0: "low", 500: "high"},
        queue="gpus",
    )

    def _pod(self, container: Container | None = None, **given: Any) -> dict[str, Any]:
        (job,) = _objects(_spec(containers={Role.MASTER: container or Container()}, **given), self.SETTINGS)
        return _pod(job)

    @pytest.mark.parametrize(
        ("runtime", "image"),
        [
            (Runtime("2.11", "3.7"), "registry.example/tf:2.11-py37"),
            (Runtime("2.11", "3.9"), "registry.example/tf:2.11"),
            (Runtime("1.15", "3.7"), "registry.example/any:1"),
            (Runtime(), "registry.example/any:1"),
        ],
        ids=["both versions", "its runtime", "another", "none"],
    )
    def test_a_module_runs_in_the_image_of_its_runtime(self, runtime: Runtime, image: str) -> None:
        assert self._pod(runtime=runtime)["containers"][0]["image"] == image

    def test_a_machine_type_has_cpus_memory_and_nodes(self) -> None:
        pod = self._pod(Container(machine="n1-highmem-8"))
        resources = pod["containers"][0]["resources"]
        assert resources["requests"] == {"cpu": "8", "memory": "52Gi"}
        assert resources["limits"] == {"memory": "52Gi"}
        assert (pod["nodeSelector"], len(pod["tolerations"])) == ({"pool": "highmem"}, 1)
        plain = self._pod(Container(machine="n1-standard-4"))
        assert plain["containers"][0]["resources"]["limits"] == {"memory": self.SETTINGS.memory}
        tier = self._pod(Container(machine="BASIC_GPU", accelerators=1))["containers"][0]["resources"]
        assert tier["limits"] == {"memory": "26Gi", "nvidia.com/gpu": "1"}

    def test_a_disk_has_a_size_and_a_kind(self) -> None:
        pod = self._pod(Container(disk_gb=200, disk_type="pd-ssd"))
        resources = pod["containers"][0]["resources"]
        assert (
            resources["requests"]["ephemeral-storage"] == resources["limits"]["ephemeral-storage"] == "200G"
        )
        assert pod["nodeSelector"] == {"disk": "ssd"}
        with pytest.raises(
            LaunchFailed, match=r"no disks of type pd-odd; VERNIER_KUBERNETES_DISK_TYPES has pd-ssd"
        ):
            self._pod(Container(disk_type="pd-odd"))

    @pytest.mark.parametrize(
        ("disk_gb", "requested", "most"), [(0, "0", "5000"), (200, "5000", "5000")], ids=["any", "a disk"]
    )
    def test_a_trial_has_no_more_of_a_disk_than_it_may_have_at_all(
        self, disk_gb: int, requested: str, most: str
    ) -> None:
        settings = replace(SETTINGS, max_disk_bytes=5000)
        (job,) = _objects(_spec(containers={Role.MASTER: Container(disk_gb=disk_gb)}), settings)
        resources = _container(job)["resources"]
        assert resources["limits"]["ephemeral-storage"] == most
        assert resources["requests"]["ephemeral-storage"] == requested

    def test_an_account_gives_its_rights_and_no_token(self) -> None:
        pod = self._pod(service_account="trainer@p.iam.gserviceaccount.com")
        assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("trainer", False)
        with pytest.raises(LaunchFailed, match="no service account root"):
            self._pod(service_account="root")

    def test_a_priority_is_the_class_that_begins_at_or_below_it(self) -> None:
        for priority, named in ((0, "low"), (499, "low"), (500, "high"), (1000, "high")):
            assert self._pod(priority=priority)["priorityClassName"] == named
        assert "priorityClassName" not in self._pod()
        with pytest.raises(LaunchFailed, match="VERNIER_KUBERNETES_PRIORITIES"):
            _objects(_spec(priority=5))

    def test_a_tpu_is_no_gpu(self) -> None:
        with pytest.raises(LaunchFailed, match="no accelerator TPU_V2"):
            self._pod(Container("i", (), (), "TPU_V2", 8))

    def test_in_a_queue_it_waits_until_it_is_let_in(self) -> None:
        (job,) = _objects(_spec(), self.SETTINGS)
        assert job["spec"]["suspend"] is True
        assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
        (job,) = _objects(_spec())
        assert "suspend" not in job["spec"]

    def test_packages_are_an_environment_that_it_can_not_change(self) -> None:
        spec = _spec(has_packages=True)
        told = {PRIMARY: {"/work": Path("/data/work")}}
        (job,) = objects_of(spec, "o", "trials", self.SETTINGS, {}, told, Path("/data/jobs/p/j/env"))
        container = _container(job)
        assert container["command"][:3] == ["/vernier/env/bin/python", "-m", "trainer.task"]
        (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == "/vernier/env"]
        assert (mount["subPath"], mount["readOnly"]) == ("jobs/p/j/env", True)


class TestSeveralReplicas:
    def test_they_are_a_service_and_a_job_each_the_primarys_first(self) -> None:
        made = _objects(_spec(cluster=CLUSTER))
        assert made[0]["kind"] == "Job", "the primary's, which says whether the others may be"
        service, jobs = _apart(made)
        assert service["kind"] == "Service"
        assert service["spec"]["clusterIP"] == "None"
        assert [job["metadata"]["labels"][names.REPLICA] for job in jobs] == [
            "master-replica-0",
            "worker-replica-0",
            "worker-replica-1",
            "ps-replica-0",
            "evaluator-replica-0",
        ]
        for job in jobs:
            assert (
                service["spec"]["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
            )

    def test_each_is_where_the_others_are_told(self) -> None:
        spec = _spec(cluster=CLUSTER)
        service, jobs = _apart(_objects(spec))
        told = addresses(spec, "o", "trials")
        for replica, job in zip(CLUSTER.replicas, jobs, strict=True):
            pod = _pod(job)
            assert pod["subdomain"] == service["metadata"]["name"]
            assert told[replica] == f"{pod['hostname']}.{pod['subdomain']}.trials.svc:2222"

    def test_each_is_told_its_own_place(self) -> None:
        _, jobs = _apart(_objects(_spec(cluster=CLUSTER)))
        configs = [json.loads(_variables(job)["TF_CONFIG"]) for job in jobs]
        assert [(each["task"]["type"], each["task"]["index"]) for each in configs] == [
            ("chief", 0),
            ("worker", 0),
            ("worker", 1),
            ("ps", 0),
            ("evaluator", 0),
        ]
        assert len({json.dumps(each["cluster"]) for each in configs}) == 1
        assert [json.loads(_variables(job)["CLUSTER_SPEC"])["task"]["index"] for job in jobs] == [
            0,
            0,
            1,
            0,
            0,
        ]

    def test_master_and_workers_meet_at_the_master_as_pytorch_and_jax_read_it(self) -> None:
        spec = _spec(cluster=CLUSTER)
        _, jobs = _apart(_objects(spec))
        told = [_variables(job) for job in jobs]
        master = addresses(spec, "o", "trials")[PRIMARY].partition(":")[0]
        assert [each.get("RANK") for each in told] == ["0", "1", "2", None, None]
        assert [each.get("JAX_PROCESS_ID") for each in told] == ["0", "1", "2", None, None]
        for each in told[:3]:
            assert (each["MASTER_ADDR"], each["MASTER_PORT"], each["WORLD_SIZE"]) == (master, "2223", "3")
            assert each["JAX_COORDINATOR_ADDRESS"] == f"{master}:2223"
            assert (each["LOCAL_RANK"], each["LOCAL_WORLD_SIZE"]) == ("0", "1")


@pytest.fixture(scope="module")
def http(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    with control_plane.client() as http:
        level = {"pod-security.kubernetes.io/enforce": "restricted"}
        namespace = {"metadata": {"name": "trials", "labels": level}}
        assert http.post("/api/v1/namespaces", json=namespace).status_code == 201
        yield http


class TestAnApiServer:
    """What it does with the objects, in a namespace that holds to the `restricted` Pod Security level."""

    def _create(self, http: httpx.Client, made: dict[str, Any]) -> httpx.Response:
        group, kind = ("/api/v1", "services") if made["kind"] == "Service" else ("/apis/batch/v1", "jobs")
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        return http.post(f"{group}/namespaces/trials/{kind}", params=query, json=made)

    @pytest.mark.parametrize(
        "spec",
        [
            _spec(),
            _spec(cluster=CLUSTER, max_seconds=60),
            _spec(ref=AttemptRef(JobRef("p.q:r", "X_" * 60), 1000, 3), cluster=CLUSTER),
            _spec(containers={Role.MASTER: Container("i", ("run",), ("-v",), "NVIDIA_TESLA_T4", 2)}),
        ],
        ids=["one replica", "several", "long names", "an image with GPUs"],
    )
    def test_takes_them_to_the_last_field(self, http: httpx.Client, spec: AttemptSpec) -> None:
        for made in (*_objects(spec), sealed(spec.ref, PRIMARY, "o")):
            answer = self._create(http, made)
            assert answer.status_code == 201, answer.text

    def test_takes_secrets_as_variables(self, http: httpx.Client) -> None:
        (job,) = _objects(_spec(), replace(SETTINGS, secrets=("store",)))
        assert self._create(http, job).status_code == 201

    def test_takes_them_without_a_volume(self, http: httpx.Client) -> None:
        settings = replace(SETTINGS, volume=None)
        directories = {PRIMARY: {"/vernier/work": Path("/unused")}}
        (job,) = objects_of(_spec(), "o", "trials", settings, {}, directories)
        answer = self._create(http, job)
        assert answer.status_code == 201, answer.text

    def test_takes_their_pods_at_the_restricted_level(self, http: httpx.Client) -> None:
        """A Job is taken whatever its pods are: they are what the level holds for."""
        for job in _apart(_objects(_spec(cluster=CLUSTER)))[1]:
            template = job["spec"]["template"]
            pod = {"metadata": {"generateName": "pod-", **template["metadata"]}, "spec": template["spec"]}
            query = {"dryRun": "All", "fieldValidation": "Strict"}
            answer = http.post("/api/v1/namespaces/trials/pods", params=query, json=pod)
            assert answer.status_code == 201, answer.text

    def test_would_not_take_a_pod_with_less(self, http: httpx.Client) -> None:
        (job,) = _objects(_spec())
        _container(job)["securityContext"]["capabilities"] = {}
        template = job["spec"]["template"]
        pod = {"metadata": {"generateName": "pod-", **template["metadata"]}, "spec": template["spec"]}
        answer = http.post("/api/v1/namespaces/trials/pods", params={"dryRun": "All"}, json=pod)
        assert answer.status_code == 403
        assert "unrestricted capabilities" in answer.text
