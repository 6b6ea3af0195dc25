"""Fixtures that every test may ask for; each starts its server at the first use and ends it with the session."""

pytest_plugins = [
    "tests.fixtures_stack",
    "tests.fixtures_db",
    "tests.fixtures_bus",
    "tests.fixtures_imap",
    "tests.fixtures_world",
    "tests.fixtures_copier",
    "tests.fixtures_panel",
    "tests.fixtures_panel_process",
]
