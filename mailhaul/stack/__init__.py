"""The embedded stack: broker, demo mail servers, SMTP sink, throw-away PostgreSQL, and the supervisor over them."""
