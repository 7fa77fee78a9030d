"""Signing in, staying signed in, signing out. Every sign-in is a row that can be revoked."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core import clock
from identity import passwords, tokens
from identity.models import AuthSession, Person
from identity.tokens import ACCESS, LIFETIME, REFRESH, Claims


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a person holds while signed in."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int = int(LIFETIME[ACCESS].total_seconds())


def sign_in(session: Session, secret: str, username: str, password: str) -> TokenPair | None:
    """Open a session for the active person of that name and password; None for anyone else."""
    person = session.scalar(
        select(Person)
        .where(Person.username == username.lower(), Person.active)
        .with_for_update(read=True)  # a password change waits, and then revokes this session too
    )
    if not passwords.matches(person.password_hash if person else None, password) or not person:
        return None
    if passwords.is_outdated(person.password_hash):
        person.password_hash = passwords.hash_password(password)
    return _open(session, secret, person.id)


def refresh(session: Session, secret: str, claims: Claims) -> TokenPair | None:
    """New tokens for a live session's refresh token, which is used up.

    None when the session is over, or when the token was used before: then one of two holders
    is a thief, and the whole session is revoked.
    """
    now = clock.now()
    row = session.scalar(
        select(AuthSession)
        .join(AuthSession.person)
        .where(
            AuthSession.id == claims.session_id,
            AuthSession.person_id == claims.person_id,
            AuthSession.revoked_at.is_(None),
            AuthSession.expires_at > now,
            Person.active,
        )
        .with_for_update(of=AuthSession)
    )
    if row is None:
        return None
    if row.refresh_id != claims.token_id:
        row.revoked_at = now
        return None
    row.refresh_id = uuid4()
    row.expires_at = now + LIFETIME[REFRESH]
    return _pair(secret, row)


def sign_out(session: Session, session_id: UUID) -> None:
    """Revoke one session."""
    session.execute(
        update(AuthSession)
        .where(AuthSession.id == session_id, AuthSession.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )


def revoke_all(session: Session, person_id: int) -> None:
    """Revoke every session of a person."""
    session.execute(
        update(AuthSession)
        .where(AuthSession.person_id == person_id, AuthSession.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )


def change_password(session: Session, person_id: int, old: str, new: str) -> bool:
    """Set a new password and revoke every session; False, and nothing, when the old is wrong."""
    person = session.get_one(Person, person_id, with_for_update=True)
    if not passwords.matches(person.password_hash, old):
        return False
    person.password_hash = passwords.hash_password(new)
    revoke_all(session, person_id)
    return True


def _open(session: Session, secret: str, person_id: int) -> TokenPair:
    now = clock.now()
    session.execute(
        delete(AuthSession).where(AuthSession.person_id == person_id, AuthSession.expires_at <= now)
    )
    row = AuthSession(
        id=uuid4(),
        person_id=person_id,
        refresh_id=uuid4(),
        created_at=now,
        expires_at=now + LIFETIME[REFRESH],
    )
    session.add(row)
    return _pair(secret, row)


def _pair(secret: str, row: AuthSession) -> TokenPair:
    access = tokens.encode(secret, ACCESS, Claims(row.person_id, row.id, uuid4()))
    refreshing = tokens.encode(secret, REFRESH, Claims(row.person_id, row.id, row.refresh_id))
    return TokenPair(access, refreshing)
