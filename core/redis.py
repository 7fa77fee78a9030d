"""Redis: rate limits and Celery's broker. Nothing here may be missed when Redis forgets it."""

import redis

TIMEOUT_SECONDS = 0.3


def reachable(url: str) -> bool:
    """Whether Redis answers a ping within a third of a second."""
    client = redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
