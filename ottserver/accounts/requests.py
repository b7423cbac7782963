"""Bodies that the accounts' routes take and answers that they give."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ottserver.accounts.models import (
    EMAIL_LIMIT,
    NAME_LIMIT,
    NAME_PATTERN,
    PASSWORD_LIMIT,
    PASSWORD_MINIMUM,
    Account,
    Session,
)
from ottserver.clock import rfc3339
from ottserver.web.routing import RequestModel

Email = Annotated[str, Field(max_length=EMAIL_LIMIT, json_schema_extra={"format": "email"})]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT, json_schema_extra={"pattern": NAME_PATTERN})]
GivenPassword = Annotated[str, Field(max_length=PASSWORD_LIMIT, json_schema_extra={"format": "password"})]
NewPassword = Annotated[
    str,
    Field(min_length=PASSWORD_MINIMUM, max_length=PASSWORD_LIMIT, json_schema_extra={"format": "password"}),
]
Token = Annotated[str, Field(min_length=1, max_length=200)]


class Registration(RequestModel):
    """Somebody new."""

    email: Email
    password: NewPassword = Field(repr=False)
    name: Name


class SetUp(Registration):
    """The first owner, who knows the code that the server printed."""

    code: Annotated[str, Field(max_length=40)]


class SignIn(RequestModel):
    """Somebody who has an account."""

    email: Email
    password: GivenPassword = Field(repr=False)


class Renewal(RequestModel):
    """A refresh token, left out by the web app, whose cookie holds it."""

    refresh_token: Token | None = Field(None, repr=False)


class AccountChange(RequestModel):
    """What is to change; `current_password` goes with a new e-mail address or password."""

    name: Name | None = None
    email: Email | None = None
    password: NewPassword | None = Field(None, repr=False)
    current_password: GivenPassword | None = Field(None, repr=False)


class SignedInAnswer(BaseModel):
    """Who has signed in, and the tokens: the access token is good for `expires_in` seconds."""

    model_config = ConfigDict(from_attributes=True)

    user_id: str
    token: str
    refresh_token: str
    expires_in: int


class SetUpAnswer(BaseModel):
    """Whether there is no owner yet, and whether anybody may make an account."""

    needed: bool
    registration: bool


class AccountAnswer(BaseModel):
    """An account as its holder sees it."""

    user_id: str
    email: str
    name: str
    role: str
    created_at: str

    @classmethod
    def of(cls, account: Account) -> AccountAnswer:
        """The answer that shows this account."""
        return cls(
            user_id=account.id,
            email=account.email,
            name=account.name,
            role=account.role,
            created_at=rfc3339(account.created_at),
        )


class KnownAccountAnswer(AccountAnswer):
    """An account as administrators see it; `disabled_at` says since when it is shut out."""

    disabled_at: str | None

    @classmethod
    def of(cls, account: Account) -> KnownAccountAnswer:
        """The answer that shows this account."""
        held = AccountAnswer.of(account).model_dump()
        return cls(**held, disabled_at=rfc3339(account.disabled_at) if account.disabled_at else None)


class AccountList(BaseModel):
    """One page of accounts, oldest first."""

    results: list[KnownAccountAnswer]
    total: int
    page: int
    has_more: bool


class StandingChange(RequestModel):
    """Whether the account is to be shut out."""

    disabled: bool


class SessionAnswer(BaseModel):
    """A signed-in device; `current` is the one that asks."""

    session_id: str
    device: str
    created_at: str
    last_used_at: str
    current: bool

    @classmethod
    def of(cls, session: Session, current: str) -> SessionAnswer:
        """The answer that shows this session to the one with the id `current`."""
        return cls(
            session_id=session.id,
            device=session.device,
            created_at=rfc3339(session.created_at),
            last_used_at=rfc3339(session.last_used_at),
            current=session.id == current,
        )


class ExportAnswer(BaseModel):
    """Everything held about the caller: besides these members, one for each room that holds something."""

    model_config = ConfigDict(extra="allow")

    exported_at: str
    account: AccountAnswer
    sessions: list[dict[str, str | None]]


class SessionList(BaseModel):
    """One page of signed-in devices."""

    results: list[SessionAnswer]
    total: int
    page: int
    has_more: bool
