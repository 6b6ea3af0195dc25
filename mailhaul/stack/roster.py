"""Which services the embedded stack runs, and what each of them is allowed to know."""

from collections.abc import Mapping

from mailhaul.stack.installation import Installation

# In this order they are reported; they start all at once, for none needs another to begin.
SERVICES = ("panel", "validator", "scheduler", "copier", "notifier", "projector", "meter")

KEY = "MAILHAUL_VAULT__KEY_FILE"
PUBLIC_KEY = "MAILHAUL_VAULT__PUBLIC_KEY_FILE"
# A service that never needs a secret never sees it (joint 30): who holds what, all others go without.
HOLDERS: Mapping[str, frozenset[str]] = {
    KEY: frozenset({"validator", "copier"}),
    "MAILHAUL_PLATFORM__MASTER_PASSWORD": frozenset({"validator", "copier"}),
    "MAILHAUL_SMTP__PASSWORD": frozenset({"notifier"}),
}


def shared_environment(
    outer: Mapping[str, str], installation: Installation, *, bootstrap: str, panel_port: int
) -> dict[str, str]:
    """The environment of every process: the outer one, and where the things of this installation are."""
    here = {
        "MAILHAUL_STATE_DIR": str(installation.directory),
        "MAILHAUL_KAFKA__BOOTSTRAP": bootstrap,
        "MAILHAUL_PANEL__PORT": str(panel_port),
        "MAILHAUL_PANEL__TOKEN_FILE": str(installation.token_file),
        KEY: outer.get(KEY) or str(installation.vault_private),
        PUBLIC_KEY: outer.get(PUBLIC_KEY) or str(installation.vault_public),
        "PYTHONUNBUFFERED": "1",
        # Each allocator arena of glibc is memory that eight small processes would hold for nothing.
        "MALLOC_ARENA_MAX": "2",
    }
    return {**outer, **here}


def environment_of(service: str, shared: Mapping[str, str]) -> dict[str, str]:
    """What one service sees: all but the secrets that others hold."""
    return {name: value for name, value in shared.items() if service in HOLDERS.get(name, {service})}
