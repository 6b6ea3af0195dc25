"""The vault's own key pair: two files, made at the first start."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from mailhaul.vault import Opener, Sealer


def make_vault_keys(private_file: Path, public_file: Path) -> None:
    """Make the files that are missing: the private one readable by its owner alone, the public one derived from it.

    An existing private key is never replaced: every secret depends on it. Two first starts at once end with one key.
    """
    private_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    public_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not private_file.exists():
        fresh = X25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _place(private_file, fresh, mode=0o600)
    public = (
        _load_private(private_file)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    _place(public_file, public, mode=0o644)


def load_sealer(public_file: Path) -> Sealer:
    """The panel's half. Raises ValueError when the file holds no X25519 public key."""
    key = serialization.load_pem_public_key(public_file.read_bytes())
    if not isinstance(key, X25519PublicKey):
        raise ValueError(f"{public_file} holds no X25519 public key")
    return Sealer(key)


def load_opener(private_file: Path) -> Opener:
    """The half of validator and copier. Raises ValueError when others can read the file or it holds no such key."""
    return Opener(_load_private(private_file))


def _load_private(file: Path) -> X25519PrivateKey:
    if file.stat().st_mode & 0o077:
        raise ValueError(f"{file} can be read by others: chmod 600 {file}")
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, X25519PrivateKey):
        raise ValueError(f"{file} holds no X25519 private key")
    return key


def _place(file: Path, content: bytes, *, mode: int) -> None:
    """Write a file that appears whole or not at all, unless another process was first."""
    with NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
        temporary.write(content)
        temporary.flush()
        os.fsync(temporary.fileno())
    os.chmod(temporary.name, mode)
    try:
        os.link(temporary.name, file)
    except FileExistsError:
        return
    finally:
        os.unlink(temporary.name)
