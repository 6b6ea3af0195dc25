"""The `mailhaul` command: it speaks to the panel's API; operators' commands alone touch Kafka and SQL (joint 36).

Exit codes: 0 ok, 1 error, 2 wrong use, 3 validation failed, 4 authentication, 5 finished with failures, 6 timed out,
7 refused, 75 run again.
"""
