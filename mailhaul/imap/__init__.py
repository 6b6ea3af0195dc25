"""The IMAP wire: what is sent, what is understood, and one connection that streams.

Pure modules (no I/O, no clock): `limits`, `values`, `answers`, `responses`, `fetches`, `encoder`, `names`, `uids`.
On top of them `connection` moves bytes and `commands` says whole IMAP commands in typed words.
"""
