"""What people and operators do with accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from ottserver.accounts.guessing import Guesses, Origin
from ottserver.accounts.models import Account, AccountSettings, Credentials, SignedIn, accepted, hashable_password
from ottserver.accounts.passwords import PasswordHasher
from ottserver.accounts.sessions import Sessions
from ottserver.accounts.store import AccountStore, email_taken
from ottserver.accounts.tokens import same_code, set_up_code
from ottserver.clock import rfc3339, utcnow
from ottserver.errors import Conflict, Denied, FieldError, NotAuthenticated, NotFound
from ottserver.events import AccountCreated, AccountDeleted, AccountDisabled
from ottserver.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ottserver.accounts.guessing import Windows
    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database
    from ottserver.identity import Principal, Role

T = TypeVar("T")
NOWHERE = Origin()


class Exporter(Protocol):
    """Another room's part of `GET /me/export`."""

    async def __call__(self, account_id: str) -> object:
        """All that the room holds about the account, as JSON values."""
        ...


class AccountService:
    """Accounts, from sign-up to erasure."""

    def __init__(
        self,
        database: Database,
        cache: Cache,
        settings: AccountSettings,
        *,
        exporters: Mapping[str, Exporter] | None = None,
        windows: Windows | None = None,
    ) -> None:
        """`exporters` are the other rooms' parts of an export, by their names in the document. `open` before use.

        `windows` count how often passwords are tried; without them nobody does.
        """
        self._database = database
        self.settings = settings
        self._passwords = PasswordHasher(settings.bcrypt_rounds)
        self._exporters = dict(exporters or {})
        self._guesses = Guesses(windows, cache, settings.secret) if windows else None
        self.sessions = Sessions(database, cache, settings)

    def export_too(self, name: str, exporter: Exporter) -> None:
        """Let one more room have its part of an export, under that name."""
        self._exporters[name] = exporter

    async def open(self) -> None:
        """Learn which sessions ended shortly before this start, so that it revives none."""
        await self.sessions.open()

    async def close(self) -> None:
        """Finish the passwords in hand and end their threads."""
        await self._passwords.close()

    async def authenticate(self, token: str) -> Principal:
        """Whose access token this is. Raises `NotAuthenticated` when it is forged or expired, or its session ended."""
        return await self.sessions.authenticate(token)

    async def register(self, email: str, password: str, name: str, *, device: str = "") -> SignedIn:
        """Make a member and sign them in.

        Raises `Denied` where registration is closed, `Invalid`, `Conflict` for a taken address, `Busy`.
        """
        if not self.settings.registration:
            message = "New accounts are made by whoever runs this server; ask them for one."
            raise Denied(message)
        account, password_hash = await self._prepare(email, password, name, "member")
        async with self.sessions.changing() as change:
            await change.accounts.add(account, password_hash)
            await change.work.announce(AccountCreated(account.id, account.role))
            return await self.sessions.start(change, account, device)

    async def create_account(self, email: str, name: str, password: str, role: Role) -> Account:
        """Make an account in any role, for an operator. Raises `Invalid`, `Conflict` for a taken address, `Busy`."""
        account, password_hash = await self._prepare(email, password, name, role)
        async with self.sessions.changing() as change:
            await change.accounts.add(account, password_hash)
            await change.work.announce(AccountCreated(account.id, account.role))
        return account

    async def _prepare(self, email: str, password: str, name: str, role: Role) -> tuple[Account, str]:
        kept = accepted(email=email, password=password, name=name)
        if await self.find_by_email(email):
            raise email_taken()  # before any work is spent on the password
        password_hash = await self._passwords.hash(kept["password"])
        return Account(new_id(), kept["email"], kept["name"], role, utcnow()), password_hash

    async def login(self, email: str, password: str, *, device: str = "", origin: Origin = NOWHERE) -> SignedIn:
        """Sign in.

        Raises `NotAuthenticated`, in the same words and after the same time whichever of the two is wrong, `Denied` for
        an account that is shut out, and `Busy`; `TooMany`, whether or not there is such an account, when its password
        was tried too often.
        """
        whom = await self._guesses.admit(email, origin) if self._guesses else ""
        async with self._database.reading() as connection:
            known = await AccountStore(connection).credentials_by_email(email)
        stronger = await self._verified(known, password)
        if known is None or stronger is None:
            raise _wrong_credentials()
        if known.account.disabled_at is not None:
            raise _disabled()
        async with self.sessions.changing() as change:
            if await change.accounts.credentials(known.account.id) != known:
                raise _wrong_credentials()  # deleted, or its password changed, while this one was being checked
            if stronger != known.password_hash:
                await change.accounts.strengthen(known, stronger)
            signed_in = await self.sessions.start(change, known.account, device)
        if self._guesses:
            await self._guesses.right(email, origin, whom)
        return signed_in

    def device_mark(self, email: str) -> str:
        """What a browser keeps after signing in, to be told from strangers; nothing where tries are not counted."""
        return self._guesses.device(email) if self._guesses else ""

    async def _verified(self, known: Credentials | None, password: str) -> str | None:
        """The hash to keep from now on when the password is right, else nothing."""
        try:
            spelt = hashable_password(password)
        except ValueError:
            spelt = ""
        right, stronger = await self._passwords.verify(spelt, known.password_hash if known else None)
        return (stronger or known.password_hash) if right and known else None

    async def set_up_needed(self) -> bool:
        """Whether there is no owner yet."""
        async with self._database.reading() as connection:
            return not await AccountStore(connection).owners()

    async def set_up_code(self) -> str | None:
        """The code that makes its holder the first owner; nothing once there is one."""
        return set_up_code(self.settings.secret) if await self.set_up_needed() else None

    async def set_up(self, code: str, email: str, password: str, name: str, *, device: str = "") -> SignedIn:
        """Make the first owner and sign them in.

        Raises `Conflict` when there is one, `Denied` for a wrong code, `Invalid`, `Busy`.
        """
        if not await self.set_up_needed():
            raise _set_up_already()
        if not same_code(code, set_up_code(self.settings.secret)):
            message = "This is not the set-up code that the server printed when it started."
            raise Denied(message, errors=(FieldError("code", message),))
        account, password_hash = await self._prepare(email, password, name, "owner")
        async with self.sessions.changing() as change:
            if await change.accounts.owners(lock=True):
                raise _set_up_already()
            await change.accounts.add(account, password_hash)
            await change.work.announce(AccountCreated(account.id, account.role))
            return await self.sessions.start(change, account, device)

    async def account(self, principal: Principal) -> Account:
        """The caller's own account. Raises `NotAuthenticated` when it is being deleted at this moment."""
        async with self._database.reading() as connection:
            return _present(await AccountStore(connection).get(principal.account_id))

    async def change_account(
        self,
        principal: Principal,
        *,
        name: str | None = None,
        email: str | None = None,
        password: str | None = None,
        current_password: str | None = None,
    ) -> Account:
        """Change what is given.

        A new address or password needs the current password; a new password signs other devices out. Raises `Invalid`,
        `Denied` for a wrong current password, `Conflict` for a taken address, `Busy`.
        """
        given = {"name": name, "email": email, "password": password}
        kept = accepted(**{field: text for field, text in given.items() if text is not None})
        async with self._database.reading() as connection:
            before = _present(await AccountStore(connection).credentials(principal.account_id))
        password_hash = before.password_hash
        if kept.keys() & {"email", "password"} and await self._verified(before, current_password or "") is None:
            message = "Changing the e-mail address or the password needs the current password, and this is not it."
            raise Denied(message, errors=(FieldError("current_password", message),))
        if "password" in kept:
            password_hash = await self._passwords.hash(kept["password"])
        async with self.sessions.changing() as change:
            if _present(await change.accounts.credentials(principal.account_id)) != before:
                message = "The account was changed elsewhere at the same moment; look at it and try again."
                raise Conflict(message)
            account = replace(
                before.account,
                name=kept.get("name", before.account.name),
                email=kept.get("email", before.account.email),
            )
            await change.accounts.change(account, password_hash)
            if "password" in kept:
                await change.end_all(account.id, but=principal.session_id)
        return account

    async def set_password(self, email: str, password: str) -> Account:
        """Give an account a new password and sign its devices out, for an operator. Raises `NotFound`, `Invalid`."""
        kept = accepted(password=password)
        password_hash = await self._passwords.hash(kept["password"])
        found = await self.find_by_email(email)
        if found is None:
            message = f"There is no account with the address {email}."
            raise NotFound(message)
        async with self.sessions.changing() as change:
            await change.accounts.change(found, password_hash)
            await change.end_all(found.id)
        return found

    async def disable(self, account_id: str, *, by: Principal | None = None) -> Account:
        """Shut an account out and sign its devices out, for an operator or an administrator. Again is no error.

        Raises `NotFound`, `Denied` for what an administrator may not, `Conflict` for the last owner.
        """
        async with self.sessions.changing() as change:
            account = await self._in_reach(change.accounts, account_id, by)
            if account.disabled_at is None:
                if account.role == "owner" and await change.accounts.owners(lock=True) == [account.id]:
                    message = "The last owner cannot be shut out; make somebody else an owner first."
                    raise Conflict(message)
                account = replace(account, disabled_at=utcnow())
                await change.accounts.disable(account.id, account.disabled_at)
                await change.work.announce(AccountDisabled(account.id))
                await change.end_all(account.id)
        return account

    async def enable(self, account_id: str, *, by: Principal | None = None) -> Account:
        """Let an account in again. Again is no error. Raises `NotFound`, `Denied`."""
        async with self.sessions.changing() as change:
            account = await self._in_reach(change.accounts, account_id, by)
            await change.accounts.disable(account.id, None)
        return replace(account, disabled_at=None)

    @staticmethod
    async def _in_reach(store: AccountStore, account_id: str, by: Principal | None) -> Account:
        account = await store.get(account_id)
        if account is None:
            message = "There is no account with this id."
            raise NotFound(message)
        if by is not None and by.account_id == account.id:
            message = "Nobody can shut themselves out."
            raise Denied(message)
        if by is not None and account.role == "owner" and by.role != "owner":
            message = "Only an owner may do this to an owner."
            raise Denied(message)
        return account

    async def delete(self, principal: Principal) -> None:
        """Erase the caller's account and let every room erase what it holds. Raises `Conflict` for the last owner."""
        async with self.sessions.changing() as change:
            account = _present(await change.accounts.get(principal.account_id))
            if account.role == "owner" and await change.accounts.owners(lock=True) == [account.id]:
                message = "The last owner cannot be deleted; make somebody else an owner first."
                raise Conflict(message)
            await change.end_all(account.id)
            await change.sessions.erase_devices(account.id)
            await change.accounts.delete(account.id)
            await change.work.announce(AccountDeleted(account.id))

    async def export(self, principal: Principal) -> dict[str, object]:
        """Everything held about the caller, as JSON values: `account`, `sessions` and one member for each exporter."""
        account = await self.account(principal)
        held: dict[str, object] = {
            "exported_at": rfc3339(utcnow()),
            "account": {
                "user_id": account.id,
                "email": account.email,
                "name": account.name,
                "role": account.role,
                "created_at": rfc3339(account.created_at),
            },
            "sessions": [
                {
                    "session_id": session.id,
                    "device": session.device,
                    "created_at": rfc3339(session.created_at),
                    "last_used_at": rfc3339(session.last_used_at),
                    "ended_at": rfc3339(session.ended_at) if session.ended_at else None,
                }
                for session in await self.sessions.remembered(account.id)
            ],
        }
        for name, exporter in self._exporters.items():
            held[name] = await exporter(account.id)
        return held

    async def list_accounts(self) -> list[Account]:
        """Every account, oldest first."""
        async with self._database.reading() as connection:
            return await AccountStore(connection).all()

    async def page(self, *, page: int, limit: int) -> tuple[list[Account], int]:
        """One page, counted from 1, of all accounts, oldest first, and how many there are."""
        async with self._database.reading() as connection:
            return await AccountStore(connection).page(offset=(page - 1) * limit, limit=limit)

    async def roles(self, account_ids: Collection[str]) -> dict[str, Role]:
        """The roles of those accounts that exist and are not shut out; at most a few hundred at a time."""
        async with self._database.reading() as connection:
            return await AccountStore(connection).roles(account_ids)

    async def find_by_email(self, email: str) -> Account | None:
        """The account that signs in with this address, however it is spelt."""
        async with self._database.reading() as connection:
            found = await AccountStore(connection).credentials_by_email(email)
        return found.account if found else None


def _present(found: T | None) -> T:
    if found is None:
        message = "This account has been deleted."
        raise NotAuthenticated(message)
    return found


def _wrong_credentials() -> NotAuthenticated:
    return NotAuthenticated("The e-mail address or the password is wrong.")


def _disabled() -> Denied:
    return Denied("This account has been shut out by whoever runs this server.")


def _set_up_already() -> Conflict:
    return Conflict("There is an owner already; sign in instead.")
