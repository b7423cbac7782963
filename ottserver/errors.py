"""Domain errors: what can go wrong, in the words a user reads. `ottserver.web.problems` turns them into HTTP."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of a request or a setting that is wrong, and how."""

    field: str
    message: str


class OttError(Exception):
    """Base of all expected failures. `detail` is one sentence for the person who made the request."""

    title = "The request could not be carried out"

    def __init__(
        self, detail: str, *, errors: tuple[FieldError, ...] = (), extra: dict[str, object] | None = None
    ) -> None:
        """Keep the sentence, the wrong fields and any machine-readable members that the answer should carry."""
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.extra = extra or {}


class Malformed(OttError):
    """The request cannot be read at all: not JSON, not UTF-8, a header that makes no sense."""

    title = "The request is malformed"


class Invalid(OttError):
    """Well-formed, but its values do not hold; `errors` names the fields."""

    title = "The request is not valid"


class NotAuthenticated(OttError):
    """Nobody is signed in, or the token is not (or no longer) good."""

    title = "Sign in first"


class PaymentRequired(OttError):
    """No plan of the caller's allows this."""

    title = "A plan is needed"


class Denied(OttError):
    """The caller is known and may not do this."""

    title = "Not allowed"


class NotFound(OttError):
    """There is no such thing, or none that the caller may know of."""

    title = "Not found"


class Conflict(OttError):
    """The present state does not allow it."""

    title = "Conflict"


class Gone(OttError):
    """It existed and has been ended."""

    title = "Gone"


class TooLarge(OttError):
    """More bytes than are accepted."""

    title = "Too large"


class Unsupported(OttError):
    """A media type that is not accepted here."""

    title = "Unsupported media type"


class TooMany(OttError):
    """Asked too often; good again after `retry_after` seconds."""

    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after: float) -> None:
        """Keep the sentence and the seconds to wait."""
        super().__init__(detail)
        self.retry_after = retry_after


class Busy(OttError):
    """Not possible at the moment; worth trying again after `retry_after` seconds."""

    title = "Not available at the moment"

    def __init__(self, detail: str, *, retry_after: float = 5.0) -> None:
        """Keep the sentence and the seconds to wait."""
        super().__init__(detail)
        self.retry_after = retry_after


class NoRoom(Busy):
    """The disk is full. Nothing is lost, and it can be done once there is room."""

    title = "No room left"

    def __init__(self, detail: str, *, retry_after: float = 60.0) -> None:
        """Keep the sentence and the seconds to wait."""
        super().__init__(detail, retry_after=retry_after)


class SettingsError(Exception):
    """A setting that is unknown or has a bad value. The message is one sentence that names it."""
