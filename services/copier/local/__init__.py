"""The same engine without a broker: `python -m services.copier.local`, which `mailhaul copy` runs (joint 36).

SQLite ledger, lease and budget as ever, no slices; a park is a visible wait. It may be killed and run again.

Exit codes: 0 everything is moved, 1 something failed or was refused, 2 the command line is wrong, 75 run it again
(interrupted, or a server asked for more patience than `--max-wait`).
"""

DONE, FAILED, USAGE, AGAIN = 0, 1, 2, 75
