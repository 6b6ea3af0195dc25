"""CSV files and lists to rows, in every dialect: bytes in, rows or faults out, nothing read and nothing written."""

from mailhaul.intake.names import Broken, Host, address, host, literal_address
from mailhaul.intake.parse import parse
from mailhaul.intake.rows import Field, Kind, Limits, Parsed, Remark, Row, Rule
from mailhaul.intake.templates import Template, template

__all__ = [
    "Broken",
    "Field",
    "Host",
    "Kind",
    "Limits",
    "Parsed",
    "Remark",
    "Row",
    "Rule",
    "Template",
    "address",
    "host",
    "literal_address",
    "parse",
    "template",
]
