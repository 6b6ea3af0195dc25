"""Logs of a process: constant events with fields, JSON unless somebody looks on, never a local variable."""

import logging
import sys
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import Processor

from mailhaul.settings import Settings

# Libraries speak when something is wrong; what they do otherwise is theirs.
LIBRARIES = logging.WARNING


def configure(settings: Settings, service: str, *, stream: TextIO | None = None) -> None:
    """Send structlog's events and the libraries' warnings to one stream, standard error by default."""
    target = stream or sys.stderr
    console = settings.log_format == "console" or (settings.log_format == "auto" and target.isatty())
    # Tracebacks are plain text in both forms: the renderers' own show every frame's variables, secrets among them.
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Named(service),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    chain: list[Processor] = [structlog.stdlib.ExtraAdder(), _logger_name, *shared]
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    formatter = structlog.stdlib.ProcessorFormatter(processors=[remove, renderer], foreign_pre_chain=chain)
    handler.setFormatter(formatter)
    logging.basicConfig(level=LIBRARIES, handlers=[handler], force=True)
    sys.excepthook = _last_words


class _Named:
    """Says which service a line is from; several may share one collector."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = self._service
        return event


def _logger_name(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["logger"] = record.name
    return event


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The error that ends the process, in the form of every other line."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("process_died", exc_info=(kind, error, trace))
