"""One conversation with the mail relay (RFC 5321) by aiosmtplib, and what its refusals mean."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import aiosmtplib
from aiosmtplib import errors as smtp_errors

from mailhaul.errors import MailhaulError, ServerRefused, Side, Unreachable

SECONDS = 20.0  # for each step; a relay stands near


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """`tls` is none | starttls | implicit; the certificate is verified."""

    host: str
    port: int
    tls: str = "none"
    username: str = ""
    password: str = ""
    ca_file: Path | None = None
    greet_as: str = "localhost"  # our name in EHLO; the library would ask a resolver for one

    def __repr__(self) -> str:
        return f"RelaySettings({self.host}:{self.port})"


class Relay:
    """An async context: connected and signed in inside, gone outside, whatever the relay does."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._smtp = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            username=settings.username or None,
            password=settings.password or None,
            cert_bundle=str(settings.ca_file) if settings.ca_file else None,
            local_hostname=settings.greet_as,
            timeout=SECONDS,
        )

    async def __aenter__(self) -> "Relay":
        try:
            await self._smtp.connect()
        except (smtp_errors.SMTPException, OSError, ValueError) as error:
            self._smtp.close()
            raise _unreachable(error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._smtp.is_connected and error is None:
                await self._smtp.quit()
        except (smtp_errors.SMTPException, OSError):
            pass  # every mail was answered for by now
        finally:
            self._smtp.close()

    async def send(self, sender: str, recipient: str, content: bytes) -> None:
        """Return once the relay has taken the mail over; raise Unreachable or ServerRefused when it has not.

        After an error nothing is known: the relay may have taken the mail and its answer may have been lost.
        """
        options = [] if recipient.isascii() and sender.isascii() else ["SMTPUTF8"]  # RFC 6531 §3.4
        try:
            await self._smtp.sendmail(sender, [recipient], content, mail_options=options)
        except smtp_errors.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0].code, str(error.recipients[0].message)) from error
        except (smtp_errors.SMTPSenderRefused, smtp_errors.SMTPHeloError) as error:
            # Our own address or name is not liked: that is the operator's to mend, so every 5xx is tried again too.
            raise _refused(min(error.code, 499), error.message) from error
        except smtp_errors.SMTPResponseException as error:
            raise _refused(error.code, error.message) from error
        except (smtp_errors.SMTPException, OSError) as error:
            raise _unreachable(error) from error


def _unreachable(error: BaseException) -> Unreachable:
    text = f"the mail relay could not be talked to ({type(error).__name__})"
    return Unreachable("smtp_unreachable", text, side=Side.PLATFORM)


def _refused(code: int, words: str) -> MailhaulError:
    # RFC 5321 §4.2.1: 5yz is permanent, 4yz may be tried again; -1 is aiosmtplib's word for no code at all.
    text = f"the mail relay answered {code}"
    # RFC 4954 §6: 53z asks for authentication, which is the operator's to mend and no verdict on the mail.
    retryable = not 500 <= code <= 599 or 530 <= code <= 539
    return ServerRefused("smtp_refused", text, side=Side.PLATFORM, retryable=retryable, server_text=words[:300])
