"""What v1 had and Vernier has not: each path says so, and what to do instead (docs/contract.md 1.2)."""

from fastapi import APIRouter, Request

from api_schemas.errors import Unimplemented
from service.answers import JsonAnswer

PREDICTION = (
    "Vernier runs training jobs and does not serve models: load the model from the job's jobDir, "
    "in a model server of your choice."
)
COLLECTIONS = {
    "models": f"projects.models and its versions are not served. {PREDICTION}",
    "operations": (
        "projects.operations are not served: no method here starts a long-running operation. "
        "Follow a job with projects.jobs.get."
    ),
    "locations": (
        "projects.locations and its studies and operations are not served: jobs run where this service runs. "
        "To search hyperparameters, create a job with trainingInput.hyperparameters."
    ),
}
"""{collection below a project: what is said of all that is in it}."""
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
JOB_METHODS = {
    "DELETE": "DELETE is not served: a job stays, as in v1. To stop it, POST to its :cancel.",
    "PUT": "PUT is not served: a job can't be replaced. To change labels, PATCH it with updateMask=labels.",
}


def unserved_routes() -> APIRouter:
    """To be included after what is served."""
    routes = APIRouter(include_in_schema=False, default_response_class=JsonAnswer)

    @routes.post("/projects/{project}:predict")
    @routes.post("/projects/{project}:explain")
    def of_a_project(request: Request) -> JsonAnswer:
        raise Unimplemented(f"projects.{request.url.path.rpartition(':')[2]} is not served. {PREDICTION}")

    @routes.api_route("/projects/{project}/jobs/{job_id}", methods=list(JOB_METHODS))
    def of_a_job(request: Request) -> JsonAnswer:
        raise Unimplemented(JOB_METHODS[request.method])

    for collection, said in COLLECTIONS.items():
        _add_collection(routes, collection, said)
    return routes


def _add_collection(routes: APIRouter, collection: str, said: str) -> None:
    def of_a_collection() -> JsonAnswer:
        raise Unimplemented(said)

    for path in (collection, f"{collection}/{{rest:path}}"):
        routes.add_api_route(f"/projects/{{project}}/{path}", of_a_collection, methods=METHODS)
