"""What of a job a cluster can't honour, told before anything is started."""

from collections.abc import Iterator

from api_schemas.accelerators import ROLES, row_of
from api_schemas.errors import FieldViolation
from api_schemas.jobs import ReplicaConfig, TrainingInput
from api_schemas.locations import local_path
from service.config import ClusterOffer
from store.objects.names import is_gs


def cluster_violations(given: TrainingInput, offer: ClusterOffer) -> Iterator[FieldViolation]:
    """The fields that ask for what the cluster has not, each with the setting that says so."""
    master = given.master_config or ReplicaConfig()
    if not master.image_uri and offer.runtimes is not None:
        asked = {f"{given.runtime_version}/{given.python_version}", given.runtime_version}
        if not asked & offer.runtimes:
            yield FieldViolation(
                "runtime_version",
                f"There is no image for it: {_has('VERNIER_KUBERNETES_RUNTIMES', offer.runtimes)}, and "
                "VERNIER_KUBERNETES_IMAGE is not set. Or name an image: masterConfig.imageUri.",
            )
    for role in ROLES:
        config = getattr(given, f"{role}_config")
        if config is not None:
            yield from _of_role(role, config, offer)
    if given.service_account and given.service_account not in offer.service_accounts:
        known = _has("VERNIER_KUBERNETES_SERVICE_ACCOUNTS", offer.service_accounts)
        yield FieldViolation("service_account", f"Trials can't have its rights here: {known}.")
    priority = given.scheduling.priority if given.scheduling is not None else None
    if priority is not None and (offer.lowest_priority is None or priority < offer.lowest_priority):
        yield FieldViolation(
            "scheduling.priority", "VERNIER_KUBERNETES_PRIORITIES has no class for a priority that low."
        )
    if given.job_dir and not is_gs(given.job_dir):
        path = local_path(given.job_dir)
        if path is not None and not (path.is_relative_to(offer.volume) and path != offer.volume):
            yield FieldViolation("job_dir", f"Pods reach only directories below {offer.volume}.")


def _of_role(role: str, config: ReplicaConfig, offer: ClusterOffer) -> Iterator[FieldViolation]:
    accelerator = config.accelerator_config
    if accelerator is not None and accelerator.type is not None and accelerator.count:
        name = accelerator.type.name
        if row_of(name, offer.accelerators) is None:
            yield FieldViolation(
                f"{role}_config.accelerator_config.type",
                f"The cluster has none: {_has('VERNIER_KUBERNETES_ACCELERATORS', offer.accelerators)}.",
            )
    disk = config.disk_config
    if disk is not None and disk.boot_disk_type and disk.boot_disk_type not in offer.disk_types:
        yield FieldViolation(
            f"{role}_config.disk_config.boot_disk_type",
            f"The cluster has none: {_has('VERNIER_KUBERNETES_DISK_TYPES', offer.disk_types)}.",
        )


def _has(setting: str, known: frozenset[str]) -> str:
    return f"{setting} has {', '.join(sorted(known)) or 'none'}"
