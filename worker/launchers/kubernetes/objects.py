"""An attempt as objects of Kubernetes: a Job for each replica, and a Service where there are several.

Each replica has a Job of its own, of one pod: so its variables are plain text that is true in any image, also
what counts over roles, as RANK. (One Indexed Job per role can only tell a pod its index within the role.)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.cluster import PRIMARY, Replica, Role
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.directories import HYPERTUNE, HYPERTUNE_FILE
from worker.launchers.kubernetes.hardware import Hardware, hardware_of
from worker.launchers.kubernetes.pods import TOLD_SECONDS, PodSettings, Volume
from worker.launchers.protocol import AttemptRef, AttemptSpec, Container, LaunchFailed, Runtime
from worker.launchers.replica_groups import LONE_ADDRESS

CONTAINER, VOLUME = "trial", "shared"
ENV = "/vernier/env"
"""Where pods have their job's own environment."""
HELD = {"suspend": True, "parallelism": 0}
"""In a Job's spec: it starts no pod, not even when a queue lets it in."""
PORT = 2222
"""Where replicas listen (docs/contract.md 4.4); the next one is for PyTorch's and JAX's meeting point."""


def objects_of(
    spec: AttemptSpec,
    owner: str,
    namespace: str,
    settings: PodSettings,
    variables: Mapping[str, str],
    directories: Mapping[Replica, Mapping[str, Path]],
    env: Path | None = None,
) -> list[dict[str, Any]]:
    """What is to be created for an attempt, in this order: the primary's Job says whether it may be.

    Args:
        variables: what the launcher tells each replica besides what the spec and its cluster say.
        directories: {path in the pod: directory on the volume} that each replica may write to. A module
            starts in the first.
        env: the job's own environment, if it has packages.

    Raises:
        LaunchFailed: it asks for what this cluster has not.
    """
    replicas = spec.cluster.replicas
    found = addresses(spec, owner, namespace)
    jobs = []
    for replica in replicas:
        told = {
            # A trainer's output should be there when it is looked at, not when a buffer is full.
            "PYTHONUNBUFFERED": "1",
            **_meeting(replica, found),
            **spec.cluster.variables(replica, found),
            **spec.environment,
            **variables,
        }
        jobs.append(_job(spec, replica, owner, settings, told, directories[replica], env))
    return jobs if len(replicas) == 1 else [jobs[0], _service(spec.ref, owner), *jobs[1:]]


def addresses(spec: AttemptSpec, owner: str, namespace: str) -> dict[Replica, str]:
    """`host:port` of each replica: known before any of them is there."""
    if spec.cluster.replicas == (PRIMARY,):
        return {PRIMARY: LONE_ADDRESS}
    service = names.attempt_name(owner, spec.ref)
    # Names that end here are completed by the search list of every pod, whatever the cluster's domain is.
    return {
        replica: f"{names.host_name(replica)}.{service}.{namespace}.svc:{PORT}"
        for replica in spec.cluster.replicas
    }


def sealed(ref: AttemptRef, replica: Replica, owner: str) -> dict[str, Any]:
    """A Job that runs nothing and stands where the replica's would: nobody can create that one any more."""
    metadata = _metadata(ref, replica, owner)
    metadata["annotations"][names.SEALED] = "true"
    pod = {"restartPolicy": "Never", "containers": [{"name": CONTAINER, "image": "none"}], **_HARDENED_POD}
    pod["containers"][0].update(_HARDENED_CONTAINER)
    return {
        **_JOB,
        "metadata": metadata,
        "spec": {**HELD, "template": {"spec": pod}},
    }


def _job(
    spec: AttemptSpec,
    replica: Replica,
    owner: str,
    settings: PodSettings,
    variables: Mapping[str, str],
    directories: Mapping[str, Path],
    env: Path | None,
) -> dict[str, Any]:
    metadata = _metadata(spec.ref, replica, owner)
    metadata["annotations"][names.REPLICAS] = json.dumps([each.name for each in spec.cluster.replicas])
    container = spec.containers.get(replica.role, Container())
    image = container.image or settings.image_for(spec.runtime)
    if image is None:
        raise LaunchFailed(no_image(f"its {replica.role}", spec.runtime, settings))
    hardware = hardware_of(container, settings)
    each = spec.share.memory // len(spec.cluster.replicas)
    built = {
        **container_of(image, settings, variables, hardware, f"{each}Mi" if each else None),
        **_program(spec, container, directories),
        "volumeMounts": mounts(settings.volume, directories, {} if env is None else {ENV: env}),
    }
    if settings.volume is None:
        # Its node makes this file, and reads it when the container has ended.
        built["terminationMessagePath"] = f"{HYPERTUNE}/{HYPERTUNE_FILE}"
    if settings.secrets:
        # What the contract says a trial is told goes before what they have under the same names.
        built["envFrom"] = [{"secretRef": {"name": name}} for name in settings.secrets]
    pod = pod_of(settings, built) | hardware.nodes() | _rights(spec, settings)
    if len(spec.cluster.replicas) > 1:
        pod |= {
            "hostname": names.host_name(replica),
            "subdomain": names.attempt_name(owner, spec.ref),
        }
    if spec.max_seconds is not None:
        # The pod's, not the Job's: that would count while it waits for a node.
        pod["activeDeadlineSeconds"] = max(TOLD_SECONDS + 1, round(spec.max_seconds))
    job = job_of(metadata, pod)
    if settings.queue is not None:
        job["metadata"]["labels"] = {**metadata["labels"], names.QUEUE: settings.queue}
        job["spec"]["suspend"] = True  # Until the queue lets it in.
    return job


def _rights(spec: AttemptSpec, settings: PodSettings) -> dict[str, Any]:
    """What of a pod says whose rights it has, and before whom it goes."""
    rights = {}
    if spec.service_account:
        account = settings.service_accounts.get(spec.service_account)
        if account is None:
            known = ", ".join(sorted(settings.service_accounts)) or "none"
            raise LaunchFailed(
                f"this cluster has no service account {spec.service_account}; "
                f"VERNIER_KUBERNETES_SERVICE_ACCOUNTS has {known}"
            )
        rights["serviceAccountName"] = account
    if spec.priority is not None:
        named = settings.priority_class(spec.priority)
        if named is None:
            raise LaunchFailed(
                f"this cluster has no class for the priority {spec.priority}: see "
                "VERNIER_KUBERNETES_PRIORITIES"
            )
        rights["priorityClassName"] = named
    return rights


def _program(spec: AttemptSpec, container: Container, directories: Mapping[str, Path]) -> dict[str, Any]:
    if container.image is None:
        python = f"{ENV}/bin/python" if spec.has_packages else "python3"
        return {
            "command": [literal(each) for each in (python, "-m", spec.module, *spec.args)],
            "workingDir": next(iter(directories)),
        }
    # Without them the image's own entry point or arguments hold.
    told = {"command": container.command, "args": container.args}
    return {name: [literal(each) for each in words] for name, words in told.items() if words}


def job_of(metadata: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    """A Job of one pod, which has the Job's labels and annotations and is never tried again."""
    about = {"labels": dict(metadata["labels"]), "annotations": dict(metadata["annotations"])}
    spec = {
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": _FAILURE_POLICY,
        "template": {"metadata": about, "spec": pod},
    }
    return {**_JOB, "metadata": metadata, "spec": spec}


def pod_of(settings: PodSettings, container: Mapping[str, Any]) -> dict[str, Any]:
    """A pod of one container that has no rights."""
    security = {
        **_HARDENED_POD["securityContext"],
        "runAsUser": settings.user,
        "runAsGroup": settings.user,
        "fsGroup": settings.user,
        # A volume of many files is not gone through at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
    }
    return {
        **_HARDENED_POD,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "volumes": [_volume(settings.volume)],
        "containers": [container],
        "securityContext": security,
    }


def container_of(
    image: str,
    settings: PodSettings,
    variables: Mapping[str, str],
    hardware: Hardware,
    memory: str | None = None,
) -> dict[str, Any]:
    """A container that has no rights and bounds on what it takes.

    Args:
        memory: goes before what the hardware says.
    """
    limits = {"memory": memory or hardware.memory or settings.memory, **hardware.limits}
    requests = {"cpu": hardware.cpu or settings.cpu, **limits, **hardware.requests}
    built: dict[str, Any] = {
        **_HARDENED_CONTAINER,
        "name": CONTAINER,
        "image": image,
        "env": [{"name": name, "value": literal(value)} for name, value in variables.items()],
        "resources": {"requests": requests, "limits": limits},
    }
    if settings.pull_policy is not None:
        built["imagePullPolicy"] = settings.pull_policy
    return built


def mounts(
    volume: Volume | None, writable: Mapping[str, Path], readable: Mapping[str, Path]
) -> list[dict[str, Any]]:
    """What a container has of the volume: {path in the pod: directory}; without one, room of its own."""
    if volume is None:
        return [{"name": VOLUME, "mountPath": path} for path in writable]
    given = {**writable, **{str(each): each for each in volume.for_all}}
    return [
        {"name": VOLUME, "mountPath": path, "subPath": str(each.relative_to(volume.path)), **only}
        for only, some in (({}, given), ({"readOnly": True}, readable))
        for path, each in some.items()
    ]


def no_image(what: str, runtime: Runtime, settings: PodSettings) -> str:
    """Why a Python module can't be run."""
    known = ", ".join(sorted(settings.runtimes)) or "none"
    asked = f" for runtimeVersion {runtime.version}" if runtime.version else ""
    return (
        f"the job names no image for {what}, and there is none{asked}: VERNIER_KUBERNETES_RUNTIMES has "
        f"{known}, and VERNIER_KUBERNETES_IMAGE is not set"
    )


def _volume(volume: Volume | None) -> dict[str, Any]:
    if volume is None:
        return {"name": VOLUME, "emptyDir": {}}
    if volume.claim is not None:
        return {"name": VOLUME, "persistentVolumeClaim": {"claimName": volume.claim}}
    return {"name": VOLUME, "hostPath": {"path": str(volume.host_path), "type": "Directory"}}


def literal(text: str) -> str:
    """Text that comes out as it is where Kubernetes puts variables in for `$(NAME)`."""
    return text.replace("$", "$$")


def _service(ref: AttemptRef, owner: str) -> dict[str, Any]:
    metadata = _metadata(ref, PRIMARY, owner)
    metadata["name"] = names.attempt_name(owner, ref)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            # Replicas look for each other while they start, long before anything would call them ready.
            "publishNotReadyAddresses": True,
            "selector": {names.ATTEMPT: names.attempt_digest(owner, ref)},
            "ports": [{"name": "cluster", "port": PORT}, {"name": "meeting", "port": PORT + 1}],
        },
    }


def _metadata(ref: AttemptRef, replica: Replica, owner: str) -> dict[str, Any]:
    return {
        "name": names.replica_name(owner, ref, replica),
        "labels": names.labels(owner, ref, replica),
        "annotations": {names.PROJECT: ref.job.project, names.JOB_ID: ref.job.job_id},
    }


def _meeting(replica: Replica, found: Mapping[Replica, str]) -> dict[str, str]:
    """What launchers of PyTorch and JAX put into the environment, which is an extension of ours.

    The primary and the workers meet there, in this order; others have no part in it (docs/contract.md 4.6).
    """
    members = [each for each in found if each.role in (Role.MASTER, Role.WORKER)]
    if replica not in members:
        return {}
    host = found[PRIMARY].rpartition(":")[0]
    size, rank = str(len(members)), str(members.index(replica))
    return {
        "MASTER_ADDR": host,
        "MASTER_PORT": str(PORT + 1),
        "WORLD_SIZE": size,
        "RANK": rank,
        # A replica is one process, and alone in its pod.
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "JAX_COORDINATOR_ADDRESS": f"{host}:{PORT + 1}",
        "JAX_NUM_PROCESSES": size,
        "JAX_PROCESS_ID": rank,
    }


_JOB = {"apiVersion": "batch/v1", "kind": "Job"}

# The first rule that fits holds. What the cluster does to a pod is no fault of the trial's: another takes its
# place. The status that a program ends with goes into the Job's own condition, which outlives the pod.
_FAILURE_POLICY = {
    "rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": CONTAINER, "operator": "NotIn", "values": [0]},
        },
    ]
}

# What the `restricted` Pod Security level asks for, and some.
_HARDENED_POD: dict[str, Any] = {
    "automountServiceAccountToken": False,
    # Variables for every Service of the namespace would tell a trainer of other trials.
    "enableServiceLinks": False,
    # So that a trainer is not process 1, on which signals without a handler have no effect.
    "shareProcessNamespace": True,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}
_HARDENED_CONTAINER: dict[str, Any] = {
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
}
