"""What a run's outcome means for its owner, and when a change of it is news: pure."""

from enum import StrEnum

from mailhaul.events import RunFinished
from mailhaul.states import Advice


class Outlook(StrEnum):
    """What a mail about a run says; the words are stored."""

    WAIT = "do_not_switch"
    SWITCH = "switch_mx"
    SWITCH_FINAL = "switch_mx_final"  # nothing further is planned: the final report is the same mail
    FINAL_HINDERED = "final_hindered"
    FINAL = "final"


def outlook(event: RunFinished) -> Outlook:
    """What a mail about this outcome would say."""
    match event.advice:
        case Advice.DO_NOT_SWITCH:
            return Outlook.WAIT
        case Advice.SWITCH_MX:
            return Outlook.SWITCH_FINAL if event.last else Outlook.SWITCH
        case Advice.FINISHED:
            hindered = event.failed_mailboxes or event.waiting_mailboxes
            return Outlook.FINAL_HINDERED if hindered else Outlook.FINAL


def is_news(now: Outlook, before: Outlook | None) -> bool:
    """Whether a mail is due: joint 22, when the advice changes, and once for every run.

    A further run that was asked for after the final report does not make the old advice new.
    """
    if before is None:
        return True
    return now is not before and (now, before) != (Outlook.SWITCH, Outlook.SWITCH_FINAL)
