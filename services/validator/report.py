"""What `mailhaul check` shows: JSON for programs, a line a row for people; no user's password in either."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailhaul import intake
from mailhaul.errors import Side
from mailhaul.states import CheckState
from mailhaul.texts.catalogue import explain, row_failed
from mailhaul.texts.files import LINE, remark_place, remark_sentence
from mailhaul.texts.language import Language, Term
from mailhaul.texts.numbers import number, size
from services.validator.inventory import Inventory
from services.validator.verdict import Verdict

FOLDERS = Term("folders", "cartelle")
MESSAGES = Term("messages", "messaggi")
LEFT_OUT = Term("of them left out by the rules", "esclusi dalle regole")
OVERSIZE = Term("of them over the size limit", "oltre la dimensione massima")


@dataclass(frozen=True, slots=True)
class Checked:
    """A row and what its check came to."""

    row: intake.Row
    verdict: Verdict


def as_json(parsed: intake.Parsed, checked: Sequence[Checked]) -> dict[str, Any]:
    """Everything, for programs; no user and no password."""
    return {
        "faults": [{"line": fault.line, "field": fault.field, "rule": str(fault.rule)} for fault in parsed.faults],
        "notices": [
            {"line": notice.line, "field": notice.field, "rule": str(notice.rule)} for notice in parsed.notices
        ],
        "rows": [_row(each) for each in checked],
    }


def _row(each: Checked) -> dict[str, Any]:
    verdict, sums = each.verdict, each.verdict.inventory
    return {
        "line": each.row.line,
        "destination": each.row.destination,
        "state": str(verdict.state),
        "side": verdict.side,
        "code": verdict.code,
        "detail": verdict.detail,
        "address": verdict.pinned_address,
        "folders": sums.folders,
        "messages": sums.messages,
        "octets": sums.octets,
        "left_out_messages": sums.left_out_messages,
        "left_out_octets": sums.left_out_octets,
        "oversize_messages": sums.oversize_messages,
        "plan": [
            {
                "source": line.decision.source_name,
                "destination": line.decision.destination_name,
                "role": str(line.decision.role),
                "action": str(line.decision.action),
                "reason": str(line.decision.reason),
                "messages": line.messages,
                "octets": line.octets,
            }
            for line in sums.lines
        ],
    }


def as_text(parsed: intake.Parsed, checked: Sequence[Checked], language: Language) -> list[str]:
    """The same for people, a line each."""
    lines = [
        f"{remark_place(remark, language)}: {remark_sentence(remark, language)}"
        for remark in (*parsed.notices, *parsed.faults)
    ]
    return lines + [_line(each, language) for each in checked]


def _line(each: Checked, language: Language) -> str:
    verdict = each.verdict
    if verdict.state is CheckState.PASSED:
        return f"{_place(each, language)}, {each.row.destination}: {_sums(verdict.inventory, language)}"
    side = Side(verdict.side)
    if verdict.state is CheckState.FAILED:
        said = row_failed(each.row.line, verdict.code, language, side)
    else:
        said = f"{_place(each, language)}: {explain(verdict.code, language, side).text}"
    return f"{said} ({verdict.detail})" if verdict.detail else said


def _place(each: Checked, language: Language) -> str:
    return LINE[language].format(line=each.row.line)


def _sums(sums: Inventory, language: Language) -> str:
    counts = (
        (FOLDERS, sums.folders),
        (MESSAGES, sums.messages),
        (LEFT_OUT, sums.left_out_messages),
        (OVERSIZE, sums.oversize_messages),
    )
    said = [f"{number(count, language)} {term[language]}" for term, count in counts if count or term is MESSAGES]
    return ", ".join([*said, size(sums.octets, language)])
