"""Rate limits, counted in Redis; when Redis is away each process counts for itself."""

from flask import Flask, Response
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from werkzeug.middleware.proxy_fix import ProxyFix

from core.app import settings
from core.redis import TIMEOUT_SECONDS

limiter = Limiter(key_func=get_remote_address, default_limits=[])


def install(app: Flask) -> None:
    """Attach the limiter; only routes that carry a limit ever ask Redis."""
    with app.app_context():
        if settings().trusted_proxies:  # else they would share one caller's limits
            app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Flask's docs do
                app.wsgi_app, x_for=settings().trusted_proxies, x_proto=0
            )
        app.config |= {
            "RATELIMIT_STORAGE_URI": settings().redis_url,
            "RATELIMIT_STORAGE_OPTIONS": {
                "socket_timeout": TIMEOUT_SECONDS,
                "socket_connect_timeout": TIMEOUT_SECONDS,
            },
            "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
            "RATELIMIT_SWALLOW_ERRORS": True,  # requests in flight when Redis goes away
            "RATELIMIT_HEADERS_ENABLED": True,
        }
    app.after_request(_retry_after_on_refusal_only)  # runs after the limiter's own: they reverse
    limiter.init_app(app)
    # Decorated routes check themselves; no other request shall pay for looking its limits up.
    app.before_request_funcs[None].remove(limiter._check_request_limit)  # noqa: SLF001 - no switch


def _retry_after_on_refusal_only(response: Response) -> Response:
    """Flask-Limiter sends Retry-After on success too."""
    if response.status_code not in (429, 503):
        response.headers.pop("Retry-After", None)
    return response
