"""The independent judge of a finished move: it imports nothing of Mailhaul and believes none of its records.

It reads both servers itself, with `imaplib`, and compares them as multisets of (SHA-256 of the bytes, INTERNALDATE
as an instant, flags and keywords) per folder. What must be there, and what must not, it takes from the manifest that
the corpus's generator wrote, or from the live source and rules on its own command line. `README.md` beside this file
has the manifest's format, the words of the verdict and the exit status.
"""
