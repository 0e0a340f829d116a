"""Jobs for programs: `/api/jobs` starts a training or a scoring and says how far it is."""

# flask-wtf ships no types.
# mypy: allow-untyped-decorators

from typing import Annotated, Any, Literal

import msgspec
from flask import Response, url_for
from msgspec import Meta

from recsite import jobs
from recsite.errors import NotFound, RunNotFound
from recsite.extensions import csrf
from recsite.storage.tables import LARGEST_ID, Run
from recsite.web.api import shapes
from recsite.web.api.answers import json_answer
from recsite.web.api.endpoints import bp
from recsite.web.api.operations import operation
from recsite.web.request import access

JobId = Annotated[int, Meta(ge=1, le=LARGEST_ID, description="The job.", examples=[12])]
QUEUED = shapes.JobJson(id=12, kind="train", state="queued", done=0, total=0, error=None)


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/jobs`."""

    kind: Annotated[Literal["train", "score"], Meta(description="What to do.", examples=["train"])]
    activate: Annotated[
        bool,
        Meta(
            title="true or false",
            description="Whether a trained version becomes active unless it is clearly worse; a scoring ignores it.",
            examples=[True],
        ),
    ] = False


@bp.post("/jobs", strict_slashes=False)
@csrf.exempt
@operation(
    who="site",
    scope="jobs:write",
    conflict="A job of this kind is queued or running; the error names it.",
    answers={202: shapes.JobJson},
    headers=("Location",),
    example=QUEUED,
)
def start_job(body: NewJob) -> Response:
    """Start a training or a scoring of all users. Of each kind one job at a time is queued or running.

    With `activate` the trained version becomes active unless it is clearly worse than the active one, and all users are
    scored with it.
    """
    chosen: dict[str, Any] = {"activate": body.activate} if body.kind == "train" else {}
    run = jobs.find(jobs.start(body.kind, access.name_of_caller(), **chosen))
    response = json_answer(job_as_json(run), 202)
    response.headers["Location"] = url_for("api.read_job", job_id=run.id)
    return response


@bp.get("/jobs/<id:job_id>", strict_slashes=False)
@operation(who="site", scope="jobs:write", not_found="Job", answers={200: shapes.JobJson}, example=QUEUED)
def read_job(job_id: JobId) -> shapes.JobJson:
    """Read how far a job is. Ended jobs are kept for 90 days."""
    try:
        return job_as_json(jobs.find(job_id))
    except RunNotFound as error:
        raise NotFound("Job not found") from error


def job_as_json(run: Run) -> shapes.JobJson:
    """Return the API's form of a job."""
    return shapes.JobJson(
        id=run.id, kind=run.kind, state=run.state, done=run.done, total=run.total, error=run.error or None
    )
