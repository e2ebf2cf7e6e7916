"""What a trial's process sees (docs/contract.md 4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from api_schemas.jobs import TrainingInput
from tuning.space import Value
from worker.cluster import PRIMARY, Replica, Role, replicas_of
from worker.launchers.protocol import AttemptRef, AttemptSpec, JobRef
from worker.trial_spec import JobInput, attempt_spec, trial_job_dir

TAG = "accuracy"
REF = AttemptRef(JobRef("my-project", "my_job"), trial=3, attempt=2)


def _spec(values: dict[str, Value] | None = None, *, tuning: bool = True, **training: Any) -> AttemptSpec:
    wire = {"pythonModule": "trainer.task", **training}
    if tuning:
        wire["hyperparameters"] = {
            "goal": "MAXIMIZE",
            "hyperparameterMetricTag": TAG,
            "params": [{"parameterName": "lr", "type": "DOUBLE", "minValue": 0.1, "maxValue": 1.0}],
        }
    job = JobInput(TrainingInput.model_validate(wire), wire, TAG if tuning else None)
    return attempt_spec(job, REF, values or {})


def _variables(spec: AttemptSpec, replica: Replica = PRIMARY) -> dict[str, str]:
    """All that a replica is told, with a port for each in their order."""
    addresses = {each: f"host:{port}" for port, each in enumerate(spec.cluster.replicas, start=2222)}
    return spec.environment | spec.cluster.variables(replica, addresses)


def _tf_config(spec: AttemptSpec, replica: Replica = PRIMARY) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(_variables(spec, replica)["TF_CONFIG"])
    return config


class TestArguments:
    def test_users_arguments_come_first_then_the_values_then_the_job_dir(self) -> None:
        spec = _spec({"lr": 0.5, "layers": 2}, args=["--lr", "0.1", "--epochs=3"], jobDir="/out")
        assert spec.args == ("--lr", "0.1", "--epochs=3", "--lr=0.5", "--layers=2", "--job-dir", "/out/3")

    def test_values_keep_the_order_of_the_params(self) -> None:
        assert _spec({"zeta": 1, "alpha": 2}).args == ("--zeta=1", "--alpha=2")

    @pytest.mark.parametrize(
        ("value", "flag"),
        [
            (40, "--x=40"),
            (-3, "--x=-3"),
            (0.026711152525921437, "--x=0.026711152525921437"),
            (0.597820322273044, "--x=0.597820322273044"),
            (0.1, "--x=0.1"),
            (512.0, "--x=512"),
            (-0.25, "--x=-0.25"),
            (0.00001, "--x=1e-05"),
            (1e21, "--x=1e+21"),
            ("256 128 64", "--x=256 128 64"),
            ("--other=1", "--x=--other=1"),
            ("$(id); 'é'\n", "--x=$(id); 'é'\n"),
            ("", "--x="),
        ],
    )
    def test_a_value_is_one_argument_in_the_contracts_format(self, value: Value, flag: str) -> None:
        assert _spec({"x": value}).args == (flag,)

    def test_a_name_is_taken_verbatim(self) -> None:
        assert _spec({"hidden-Units_1": 7}).args == ("--hidden-Units_1=7",)

    def test_without_a_job_dir_there_is_no_flag_for_it(self) -> None:
        spec = _spec(args=["a"])
        assert spec.args == ("a",)
        assert spec.job_dir is None

    def test_a_job_without_arguments_has_none(self) -> None:
        assert _spec(tuning=False).args == ()

    def test_users_own_job_dir_stays_and_the_services_closes_the_list(self) -> None:
        spec = _spec(args=["--job-dir", "/mine"], jobDir="/out")
        assert spec.args == ("--job-dir", "/mine", "--job-dir", "/out/3")


class TestJobDir:
    @pytest.mark.parametrize("given", ["/out", "/out/", "file:///out", "file:///out/"])
    def test_a_tuning_trial_has_its_own_below(self, given: str) -> None:
        assert _spec(jobDir=given).job_dir == Path("/out/3")

    def test_plain_training_has_the_jobs(self) -> None:
        spec = _spec(tuning=False, jobDir="/out")
        assert spec.job_dir == Path("/out")
        assert spec.args == ("--job-dir", "/out")

    def test_it_can_be_asked_for_without_the_rest(self) -> None:
        tuning = {"hyperparameters": {"params": []}, "jobDir": "/out"}
        assert trial_job_dir(TrainingInput.model_validate(tuning), 12) == Path("/out/12")
        assert trial_job_dir(TrainingInput.model_validate({"jobDir": "/out"}), 1) == Path("/out")
        assert trial_job_dir(TrainingInput.model_validate({}), 1) is None


class TestTfConfig:
    def test_a_trial_is_a_cluster_of_one(self) -> None:
        config = _tf_config(_spec())
        assert config["cluster"] == {"chief": ["host:2222"]}
        assert config["task"] == {"type": "chief", "index": 0, "trial": "3"}
        assert config["environment"] == "cloud"

    def test_plain_training_has_no_trial(self) -> None:
        assert _tf_config(_spec(tuning=False))["task"] == {"type": "chief", "index": 0}

    @pytest.mark.parametrize(
        ("version", "role"),
        [("1.15", "master"), ("1.4", "master"), ("0.12", "master"), ("2.1", "chief"), ("2.11", "chief")],
    )
    def test_the_primary_is_named_as_its_runtime_names_it(self, version: str, role: str) -> None:
        config = _tf_config(_spec(runtimeVersion=version))
        assert list(config["cluster"]) == [role]
        assert config["task"]["type"] == role

    def test_a_job_that_names_no_runtime_has_a_chief(self) -> None:
        assert _tf_config(_spec())["task"]["type"] == "chief"

    def test_the_job_is_described_in_snake_case_at_every_depth(self) -> None:
        described = _tf_config(
            _spec(
                scaleTier="CUSTOM",
                masterConfig={"acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "1"}},
                packageUris=["/p/Trainer-1.0.whl"],
                args=["--camelCase=x"],
                useChiefInTfConfig=True,
            )
        )["job"]
        assert described["python_module"] == "trainer.task"
        assert described["master_config"] == {"accelerator_config": {"type": "NVIDIA_TESLA_T4", "count": "1"}}
        assert described["package_uris"] == ["/p/Trainer-1.0.whl"]
        assert described["args"] == ["--camelCase=x"], "values are the user's, and stay"
        assert described["use_chief_in_tf_config"] is True
        assert described["hyperparameters"]["hyperparameter_metric_tag"] == TAG
        assert described["hyperparameters"]["params"][0]["parameter_name"] == "lr"

    def test_all_places_agree_on_the_job_dir(self) -> None:
        spec = _spec(jobDir="file:///out")
        assert _tf_config(spec)["job"]["job_dir"] == "/out/3"
        assert json.loads(spec.environment["CLOUD_ML_JOB"])["job_dir"] == "/out/3"
        assert spec.args[-1] == "/out/3"

    def test_without_a_job_dir_the_description_has_none(self) -> None:
        assert "job_dir" not in _tf_config(_spec())["job"]


CUSTOM = {"scaleTier": "CUSTOM", "masterType": "n1-standard-4"}
WORKERS = {"workerType": "n1-standard-4", "workerCount": "2"}
SERVERS = {"parameterServerType": "n1-standard-4", "parameterServerCount": "1"}
EVALUATORS = {"evaluatorType": "n1-standard-4", "evaluatorCount": "1"}
IMAGE = {"masterConfig": {"imageUri": "r/trainer:1"}}


class TestSeveralReplicas:
    def test_counts_make_replicas_named_by_role_and_index(self) -> None:
        given = TrainingInput.model_validate({**CUSTOM, **WORKERS, **SERVERS, **EVALUATORS})
        names = [replica.name for replica in replicas_of(given)]
        assert names == [
            "master-replica-0",
            "worker-replica-0",
            "worker-replica-1",
            "ps-replica-0",
            "evaluator-replica-0",
        ]
        assert [Replica.named(name) for name in names] == list(replicas_of(given))
        assert str(replicas_of(given)[2]) == "worker 1", "as messages call it"

    @pytest.mark.parametrize("tier", ["BASIC", "STANDARD_1", "PREMIUM_1", "BASIC_GPU", "BASIC_TPU"])
    def test_a_tier_alone_makes_no_others(self, tier: str) -> None:
        assert replicas_of(TrainingInput.model_validate({"scaleTier": tier})) == (PRIMARY,)

    def test_a_count_of_none_makes_no_others(self) -> None:
        given = {**CUSTOM, "workerType": "standard", "workerCount": "0"}
        assert replicas_of(TrainingInput.model_validate(given)) == (PRIMARY,)

    def test_each_is_told_of_all_and_who_it_is(self) -> None:
        spec = _spec(**CUSTOM, **WORKERS, **SERVERS, **EVALUATORS)
        cluster = {"chief": ["host:2222"], "worker": ["host:2223", "host:2224"], "ps": ["host:2225"]}
        told = {replica.name: _tf_config(spec, replica) for replica in spec.cluster.replicas}
        assert [config["cluster"] for config in told.values()] == [cluster] * 5, "which has no evaluator"
        assert told["master-replica-0"]["task"] == {"type": "chief", "index": 0, "trial": "3"}
        assert told["worker-replica-1"]["task"] == {"type": "worker", "index": 1, "trial": "3"}
        assert told["ps-replica-0"]["task"] == {"type": "ps", "index": 0, "trial": "3"}
        assert told["evaluator-replica-0"]["task"] == {"type": "evaluator", "index": 0, "trial": "3"}

    def test_roles_without_replicas_are_absent(self) -> None:
        assert set(_tf_config(_spec(**CUSTOM, **SERVERS))["cluster"]) == {"chief", "ps"}

    def test_packages_have_no_cluster_spec(self) -> None:
        assert "CLUSTER_SPEC" not in _variables(_spec(**CUSTOM, **WORKERS))

    @pytest.mark.parametrize(("chief", "primary"), [(True, "chief"), (False, "master")])
    def test_a_container_has_a_cluster_spec_whose_primary_is_the_master(
        self, chief: bool, primary: str
    ) -> None:
        spec = _spec(**CUSTOM, **WORKERS, **IMAGE, useChiefInTfConfig=chief)
        for replica in (PRIMARY, Replica(Role.WORKER, 1)):
            config, cluster = _tf_config(spec, replica), json.loads(_variables(spec, replica)["CLUSTER_SPEC"])
            assert set(config["cluster"]) == {primary, "worker"}
            assert cluster["cluster"]["master"] == config["cluster"][primary]
            assert cluster["task"]["index"] == config["task"]["index"]
        assert json.loads(_variables(spec)["CLUSTER_SPEC"])["task"]["type"] == "master"


class TestEnvironment:
    def test_a_trial_has_all_variables(self) -> None:
        environment = _variables(_spec())
        assert set(environment) == {
            "TF_CONFIG",
            "CLOUD_ML_JOB",
            "CLOUD_ML_JOB_ID",
            "CLOUD_ML_PROJECT_ID",
            "CLOUD_ML_TRIAL_ID",
            "CLOUD_ML_HP_METRIC_TAG",
        }
        assert environment["CLOUD_ML_JOB_ID"] == "my_job"
        assert environment["CLOUD_ML_PROJECT_ID"] == "my-project"
        assert environment["CLOUD_ML_TRIAL_ID"] == "3"
        assert environment["CLOUD_ML_HP_METRIC_TAG"] == TAG

    def test_plain_training_lacks_those_of_tuning(self) -> None:
        environment = _variables(_spec(tuning=False))
        assert set(environment) == {"TF_CONFIG", "CLOUD_ML_JOB", "CLOUD_ML_JOB_ID", "CLOUD_ML_PROJECT_ID"}

    def test_the_job_is_told_the_same_twice(self) -> None:
        spec = _spec(args=["a=b", "é"], jobDir="/out")
        assert json.loads(spec.environment["CLOUD_ML_JOB"]) == _tf_config(spec)["job"]

    def test_the_attempt_does_not_show(self) -> None:
        """A second try is indistinguishable from the first: what it wrote there is found again."""
        wire = {"pythonModule": "trainer.task", "hyperparameters": {"params": []}, "jobDir": "/out"}
        job = JobInput(TrainingInput.model_validate(wire), wire, TAG)
        first, second = (attempt_spec(job, AttemptRef(REF.job, 3, attempt), {}) for attempt in (1, 2))
        assert (first.args, _variables(first)) == (second.args, _variables(second))


def test_the_environment_of_packages_is_used_where_there_are_any() -> None:
    assert _spec(packageUris=["/p.whl"]).has_packages
    assert not _spec().has_packages
