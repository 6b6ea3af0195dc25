"""What a refusal means for us: response codes and servers' own words turned into Mailhaul's errors."""

import re

from mailhaul.errors import MailhaulError, ServerRefused, Side, SignInRefused, Throttled, Unreachable
from mailhaul.imap.answers import Answer

# RFC 9051 §7.1 and RFC 5530 §3: these say "later", not "never". SERVERBUG is transient, never "skip this message".
_PATIENCE = {
    "UNAVAILABLE": "server_unavailable",
    "INUSE": "mailbox_in_use",
    "LIMIT": "server_limit",
    "THROTTLED": "throttled",
    "SERVERBUG": "server_error",
    "OVERQUOTA": "over_quota",
    "CORRUPTION": "server_error",
}
_NO_SIGN_IN = {
    "AUTHENTICATIONFAILED": "sign_in_refused",
    "AUTHORIZATIONFAILED": "authorization_refused",
    "EXPIRED": "password_expired",
    "PRIVACYREQUIRED": "privacy_required",
    "CONTACTADMIN": "contact_admin",
}
_NEVER = {
    "NONEXISTENT": "folder_missing",
    "TRYCREATE": "folder_missing",
    "ALREADYEXISTS": "folder_exists",
    "NOPERM": "not_permitted",
    "CANNOT": "not_possible",
    "TOOBIG": "too_large",
}
# Servers without a code for it: Exchange and Microsoft 365 ("Suggested Backoff Time"), Dovecot's limit per user, Gmail.
_THROTTLING = re.compile(
    rb"thrott|backoff time|too many (simultaneous )?connections|maximum number of connections"
    rb"|rate limit|bandwidth limits",
    re.IGNORECASE,
)
_BACK_OFF = re.compile(rb"Suggested Backoff Time: *(\d{1,9}) *milliseconds", re.IGNORECASE)


def back_off_seconds(text: bytes) -> float | None:
    """The wait that Exchange names in its own words, in seconds, or None."""
    found = _BACK_OFF.search(text)
    return int(found[1]) / 1000 if found else None


def disconnected(side: Side, words: str = "") -> Unreachable:
    return Unreachable("disconnected", f"the {side} server closed the connection", side=side, server_text=words)


def refusal(answer: Answer, what: str, side: Side, words: str) -> MailhaulError:
    """The error for a NO, BAD or BYE to `what` (a command's name); `words` is the server's text without secrets."""
    if answer.code in _NO_SIGN_IN:
        return SignInRefused(
            _NO_SIGN_IN[answer.code], f"the {side} server refused the sign-in", side=side, server_text=words
        )
    if answer.code in _PATIENCE or _THROTTLING.search(answer.text):
        code = _PATIENCE.get(answer.code, "throttled")
        error = Throttled(code, f"the {side} server asked for patience at {what}", side=side, server_text=words)
        error.back_off = back_off_seconds(answer.text)
        return error
    if answer.status == "BYE":
        return disconnected(side, words)
    code = _NEVER.get(answer.code, "command_bad" if answer.status == "BAD" else "command_refused")
    return ServerRefused(code, f"the {side} server answered {answer.status} to {what}", side=side, server_text=words)
