"""What an upload asks for, checked as far as it can be without a server: pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mailhaul.errors import RequestInvalid
from mailhaul.events import Endpoint, Rules, RunTime
from mailhaul.intake import Broken, Kind, address
from mailhaul.schedule import Horizon, plan
from services.panel.when import first_time, second_time


class SourceType(StrEnum):
    """How the source is spoken to; plaintext only where the type says so."""

    STANDARD_SSL = "standard-ssl"
    STANDARD_STARTTLS = "standard-starttls"
    STANDARD_NO_SSL = "standard-no-ssl"


_TRANSPORT = {
    SourceType.STANDARD_SSL: ("implicit", 993),
    SourceType.STANDARD_STARTTLS: ("starttls", 143),
    SourceType.STANDARD_NO_SSL: ("none", 143),
}


def endpoint(source_type: SourceType, host: str, port: int | None) -> Endpoint:
    """Where a row's source is, with the port of the type unless the row names one."""
    tls, usual = _TRANSPORT[source_type]
    return Endpoint(host=host, port=port or usual, tls=tls)


class Upload(BaseModel):
    """An upload without its file; the same fields in JSON and in a form."""

    model_config = ConfigDict(extra="forbid")

    type: SourceType = Field(description="How the sources are reached", examples=["standard-ssl"])
    kind: Kind = Field(Kind.STANDARD, description="The file's dialect")
    name: str = Field("", max_length=100, description="Unique; a number when blank")
    zone: str = Field("UTC", description="IANA zone of the times", examples=["Europe/Rome"])
    first: str = Field("none", description="`none`, `asap`, or a wall time", examples=["2026-03-29T21:30"])
    second: str = Field("none", description="`none`, a distance such as `6h`, or a wall time")
    skip_folders: list[str] = Field([], max_length=200, description="Folders to leave out")
    translations: list[str] = Field([], max_length=200, description="Folder names to change, `old:new`")
    include_trash: bool = Field(False, description="Copy the trash too")
    include_junk: bool = Field(False, description="Copy junk mail too")
    recipients: list[str] = Field([], max_length=20, description="Who gets the mails about this migration")
    language: Literal["en", "it"] = Field("en", description="Language of those mails")
    passwords: Literal["file", "owners"] = Field("file", description="`owners`: each owner gives the password later")


class UploadText(Upload):
    """An upload in JSON, with the file as text."""

    csv: str = Field(description="The file's content", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A checked upload, without rows."""

    name: str
    kind: Kind
    source_type: SourceType
    zone: str
    first: RunTime
    second: RunTime
    rules: Rules
    recipients: tuple[str, ...]
    language: str
    owners: bool


def draft(upload: Upload, *, now: datetime, horizon: Horizon, max_octets: int) -> Draft:
    """Check everything but the file. Raises RequestInvalid with the rule that is broken."""
    first, second = first_time(upload.first, upload.zone), second_time(upload.second, upload.zone)
    plan(first, second, now, horizon)
    name = " ".join(upload.name.split())
    if not name.isprintable():
        raise RequestInvalid("bad_name", "a name holds letters, digits, blanks and signs only")
    return Draft(
        name=name,
        kind=upload.kind,
        source_type=upload.type,
        zone=upload.zone,
        first=first,
        second=second,
        rules=Rules(
            max_octets=max_octets,
            include_trash=upload.include_trash,
            include_junk=upload.include_junk,
            skip_folders=tuple(_folder(folder) for folder in upload.skip_folders),
            translations=tuple(_translation(pair) for pair in upload.translations),
        ),
        recipients=tuple(_recipient(recipient) for recipient in upload.recipients),
        language=upload.language,
        owners=upload.passwords == "owners",
    )


def _folder(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise RequestInvalid("bad_folder_name", "a folder to skip has a name, one a line")
    return name.strip()


def _translation(pair: str) -> str:
    old, separator, new = pair.partition(":")
    if not separator or not old.strip() or not new.strip() or not pair.isprintable():
        raise RequestInvalid("bad_translation", "a translation is a pair old:new, one a line")
    return f"{old.strip()}:{new.strip()}"


def _recipient(text: str) -> str:
    try:
        return address(text.strip())
    except Broken as error:
        raise RequestInvalid("bad_recipient", "a recipient is an address such as admin@example.com") from error
