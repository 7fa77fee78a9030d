"""What goes wrong, said in RFC 9457 problem details."""

from collections.abc import Mapping
from typing import Any


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """A refusal the caller can read: HTTP status, stable slug, sentence, bad fields."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers, self.more = errors, dict(headers or {}), more


def not_found(what: str) -> Problem:
    """404, also for what belongs to somebody else."""
    return Problem(404, "not-found", f"There is no such {what}.")


def invalid(field: str, rule: str) -> Problem:
    """422 for one field that breaks one rule."""
    return Problem(422, "invalid", "The request breaks a rule.", errors={field: [rule]})
