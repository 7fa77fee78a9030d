"""What somebody is answered who enters a code: facts in, outcome out. Pure.

The right code always opens its door: money owed is no reason to refuse, and is not among the
facts. What may stand in between is only what slows guessing, for minutes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Code:
    """The code that was entered, if it is one of this cabinet's."""

    compartment: int | None
    locked_until: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Guesses:
    """Wrong codes entered at this cabinet lately, and what of it the rules allow."""

    count: int
    since: datetime | None
    slow_until: datetime | None
    most: int
    window: timedelta
    pause: timedelta


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the answer depends on; `locked_until` is of the codes of that phone tail."""

    history: bool
    now: datetime
    code: Code | None
    locked_until: datetime | None
    guesses: Guesses


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer; `wrong` counts as a guess, `retry_at` says when to try again."""

    action: str
    reason: str
    compartment: int | None = None
    retry_at: datetime | None = None
    wrong: bool = False

    @property
    def opens(self) -> bool:
        """Whether the door opens."""
        return self.action == "open"


def decide(facts: Facts) -> Outcome:
    """Answer whoever entered a phone tail and a code."""
    now, code, slow_until = facts.now, facts.code, facts.guesses.slow_until
    if facts.history:
        return _refuse("replayed")
    if slow_until and now < slow_until:
        return _refuse("slow-down", slow_until)
    right = code is not None and not (code.expires_at and code.expires_at <= now)
    if code is None or not right:
        return _guessed(facts)
    if code.locked_until and now < code.locked_until:
        return _refuse("code-locked", facts.locked_until)
    if code.compartment is None:
        return _refuse("ask-operator")
    return Outcome("open", "pickup", code.compartment)


def after_a_guess(guesses: Guesses, now: datetime) -> Guesses:
    """The cabinet's count after one more wrong code: too many in a while, and it pauses."""
    fresh = guesses.since is not None and now - guesses.since < guesses.window
    count, since = (guesses.count + 1, guesses.since) if fresh else (1, now)
    slow = now + guesses.pause if count >= guesses.most else None
    return Guesses(0 if slow else count, since, slow, guesses.most, guesses.window, guesses.pause)


def _guessed(facts: Facts) -> Outcome:
    """While codes of that tail are locked a wrong one hears what the right one would."""
    locked = facts.locked_until is not None and facts.now < facts.locked_until
    if locked:
        return Outcome("refuse", "code-locked", retry_at=facts.locked_until, wrong=True)
    return Outcome("refuse", "wrong-code", wrong=True)


def _refuse(reason: str, retry_at: datetime | None = None) -> Outcome:
    return Outcome("refuse", reason, retry_at=retry_at)
