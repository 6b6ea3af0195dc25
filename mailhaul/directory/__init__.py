"""What the destination platform knows: which customer may move mail into which domain (joint 29)."""

from mailhaul.directory.domains import canonical_domain, grant, granted, granted_domains, revoke

__all__ = ["canonical_domain", "grant", "granted", "granted_domains", "revoke"]
