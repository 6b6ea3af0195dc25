"""From settings to a checker, for the service and for `mailhaul check`."""

from collections.abc import Sequence

from mailhaul.clock import Clock
from mailhaul.dial import DialPolicy, parse_networks, tls_context
from mailhaul.errors import RequestInvalid
from mailhaul.events import Endpoint
from mailhaul.imap.limits import Limits
from mailhaul.settings import PlatformSettings, SourceSettings, ValidatorSettings
from mailhaul.signin.credentials import Credentials, MasterStyle
from services.validator.destination import Destination, Platform
from services.validator.gate import Gate


def source_policy(settings: SourceSettings, *, more_networks: Sequence[str] = ()) -> DialPolicy:
    """Where sources may be. Raises RequestInvalid for a network that is none."""
    try:
        networks = parse_networks([*settings.allow_networks, *more_networks])
    except ValueError as error:
        raise RequestInvalid("bad_network", "a network is written 192.0.2.0/24") from error
    return DialPolicy(
        allow=networks,
        ports=frozenset(settings.ports),
        connect_timeout=settings.connect_timeout,
        limits=Limits(stall_window=settings.progress_timeout),
        context=tls_context(settings.ca_file),
    )


def destination(settings: PlatformSettings, source: SourceSettings) -> Destination:
    """The platform, opened by its master user."""
    master = Credentials(
        "",
        settings.master_password.get_secret_value(),
        settings.master_user,
        MasterStyle(settings.master_style),
        settings.master_separator,
    )
    policy = DialPolicy(
        everywhere=True,
        ports=None,
        connect_timeout=source.connect_timeout,
        limits=Limits(stall_window=source.progress_timeout),
        context=tls_context(settings.ca_file),
    )
    endpoint = Endpoint(host=settings.host, port=settings.port, tls=settings.tls)
    return Destination(Platform(endpoint=endpoint, master=master, policy=policy))


def gate(settings: ValidatorSettings, clock: Clock) -> Gate:
    return Gate(
        clock,
        at_once=settings.checks_per_server,
        in_all=max(settings.checks_at_once, settings.checks_per_server),
        refused_in_a_row=settings.refused_in_a_row,
    )
