"""What every route shares: problem+json, request ids, strict JSON, the OpenAPI page."""

import math
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import marshmallow as ma
import psycopg
import structlog
from flask import Flask, Request, Response, g, jsonify, request
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint
from flask_swagger_ui import get_swaggerui_blueprint
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed, TooManyRequests

from core.errors import Problem, invalid

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
PROBLEM_TYPE = "https://huilin.example/problems/"
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
JSON_ROUTES = "/api/"
LARGEST_ID = 2**63 - 1


class Schema(ma.Schema):
    """Refuses unknown fields and what PostgreSQL cannot hold: NUL, lone surrogates, NaN."""

    class Meta:
        unknown = ma.RAISE

    def load(self, data: Any, **options: Any) -> Any:
        """Validate; what cannot be stored is refused first, wherever it hides in the value."""
        if isinstance(data, Mapping):
            said = ["has a NUL, a lone surrogate or no finite number"]
            bad = {mend(str(k)): said for k in data if _bad(k, data[k])}
            if bad:
                raise ma.ValidationError(bad)
        return super().load(data, **options)


class Instant(ma.fields.AwareDateTime):
    """An RFC 3339 instant with its offset, between the years 2000 and 2100."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        instant: datetime = super()._deserialize(value, attr, data, **kwargs)
        if not 2000 <= instant.year < 2100:
            raise ma.ValidationError("must lie between the years 2000 and 2100")
        return instant


class ProblemSchema(ma.Schema):
    """RFC 9457 problem details."""

    type = ma.fields.String()
    title = ma.fields.String()
    status = ma.fields.Integer()
    detail = ma.fields.String()
    code = ma.fields.String(metadata={"description": "a stable slug"})
    errors = ma.fields.Dict(metadata={"description": "field → the rules it breaks"})
    request_id = ma.fields.String()


class BodyParser(FlaskParser):
    """A number too long to read is bad JSON like any other."""

    def load_json(self, req: Request, schema: Any) -> Any:
        """The body's JSON; BadRequest when it is none."""
        try:
            return super().load_json(req, schema)
        except ValueError as error:
            raise BadRequest("The body is not JSON.") from error


class PageParser(FlaskParser):
    """A page so far on that the database cannot count there is refused by its name."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """The pagination parameters; Problem 422."""
        page = super().parse(*args, **kwargs)
        if page.first_item > LARGEST_ID:
            raise invalid("page", "lies beyond everything")
        return page


Blueprint.ARGUMENTS_PARSER = BodyParser()
Blueprint.PAGINATION_ARGUMENTS_PARSER = PageParser()


class Api(SmorestApi):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest, speaking problem+json."""

    ERROR_SCHEMA = ProblemSchema

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an HTTP error as a problem, with the bad fields webargs found."""
        status = error.code or 500
        data = getattr(error, "data", None) or {}
        headers = dict(data.get("headers") or {})
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            headers["Allow"] = ", ".join(sorted(error.valid_methods))
        if isinstance(error, TooManyRequests):
            headers |= {k: v for k, v in error.get_headers() if k == "Retry-After"}
        phrase = HTTPStatus(status).phrase
        errors = _by_field(data.get("messages"))
        detail = "The request breaks a rule." if errors else (error.description or phrase)
        code = "invalid" if status == 422 else phrase.lower().replace(" ", "-").replace("'", "")
        return problem_response(Problem(status, code, detail, errors=errors, headers=headers))


def problem_response(problem: Problem) -> Response:
    """Render a problem as application/problem+json."""
    body = {
        "type": PROBLEM_TYPE + problem.code,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": g.get("request_id"),
        **problem.more,
    }
    if problem.errors:
        body["errors"] = problem.errors
    response = jsonify(body)
    response.status_code = problem.status
    response.mimetype = "application/problem+json"
    response.headers.update(problem.headers)
    return response


def install(app: Flask) -> Api:
    """Give the app its error answers, request ids and OpenAPI pages; return the smorest Api."""
    app.config |= {
        "API_TITLE": "Huilin 惠邻",
        "API_VERSION": "v1",
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api",
        "OPENAPI_JSON_PATH": "openapi.json",
    }
    api = Api(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    app.register_blueprint(
        get_swaggerui_blueprint("/api/docs", "/api/openapi.json", config={"app_name": "Huilin"})
    )
    app.before_request(_take_request_id)
    app.before_request(_refuse_unreadable)
    app.after_request(_give_request_id)
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(RecursionError, _too_deep)
    for by_sqlalchemy, by_the_driver, answer in (
        (DataError, psycopg.DataError, _unstorable),
        (IntegrityError, psycopg.IntegrityError, _conflict),
        (OperationalError, psycopg.OperationalError, _unreachable),
    ):
        app.register_error_handler(by_sqlalchemy, answer)
        app.register_error_handler(by_the_driver, answer)
    app.register_error_handler(Exception, _crash)
    return api


def _take_request_id() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _give_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id") or uuid.uuid4().hex
    response.headers["X-Content-Type-Options"] = "nosniff"
    route = request.url_rule.rule if request.url_rule else None
    log.info("request", method=request.method, route=route, status=response.status_code)
    return response


def _refuse_unreadable() -> None:
    if "\x00" in request.path or any("\x00" in v for v in request.args.values()):
        raise Problem(400, "bad-request", "The address has a NUL byte.")
    for name, value in (request.view_args or {}).items():
        if isinstance(value, int) and value > LARGEST_ID:
            raise Problem(404, "not-found", f"There is no such {name}.")
    if request.path.startswith(JSON_ROUTES) and request.method in {"POST", "PUT", "PATCH"}:
        chunked = request.content_length is None and "Transfer-Encoding" in request.headers
        if chunked and len(request.get_data(cache=True)) >= (request.max_content_length or 0):
            raise Problem(413, "request-entity-too-large", "The body is too large.")
        has_body = bool(request.content_length) or chunked
        if has_body and not request.is_json:
            raise Problem(415, "unsupported-media-type", "Send application/json.")


def _too_deep(_error: RecursionError) -> Response:
    return problem_response(Problem(400, "bad-request", "The body is nested too deeply."))


def _unstorable(error: DataError | psycopg.DataError) -> Response:
    log.warning("unstorable value", error=type(getattr(error, "orig", error)).__name__)
    return problem_response(Problem(422, "invalid", "A value is out of the range we can hold."))


def _unreachable(error: OperationalError | psycopg.OperationalError) -> Response:
    log.error("database unreachable", error=type(getattr(error, "orig", error)).__name__)
    detail = "The database does not answer; try again."
    return problem_response(Problem(503, "unavailable", detail, headers={"Retry-After": "2"}))


def _conflict(error: IntegrityError | psycopg.IntegrityError) -> Response:
    refused = getattr(error, "orig", error)
    constraint = getattr(getattr(refused, "diag", None), "constraint_name", None)
    log.warning("constraint refused", constraint=constraint)
    return problem_response(
        Problem(409, "conflict", "The change contradicts what is already recorded.")
    )


def _crash(_error: Exception) -> Response:
    log.exception("crash", rule=str(request.url_rule), method=request.method)
    return problem_response(
        Problem(500, "internal-server-error", "Something failed on our side; it was logged.")
    )


def mend(text: str) -> str:
    """A text that can be sent and stored: lone surrogates and NULs shown as escapes."""
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()


def _bad(key: Any, value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_bad(k, v) for k, v in value.items()) or _bad(key, None)
    if isinstance(value, list):
        return any(_bad("", item) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        return True
    return any(isinstance(text, str) and not _storable(text) for text in (key, value))


def _storable(text: str) -> bool:
    return not UNSTORABLE.search(text)


def _by_field(messages: Any) -> Mapping[str, Any] | None:
    """Webargs groups messages by location (json, query); callers think in fields."""
    if not isinstance(messages, Mapping):
        return None
    fields: dict[str, Any] = {}
    for location, found in messages.items():
        fields |= found if isinstance(found, Mapping) else {str(location): found}
    return {mend(str(name)): rule for name, rule in fields.items()}
