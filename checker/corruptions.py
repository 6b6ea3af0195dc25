"""Seeded corruptions of a correct copy: each takes a mailbox apart in one way that the judge must notice and name."""

import random
from collections.abc import Callable
from dataclasses import replace

from checker.model import Folder, Mailbox, Message, Path

EXCLUDED: Path = ("Cestino",)
Corruption = Callable[[Mailbox, random.Random], None]


def digest(rng: random.Random) -> str:
    """Return a digest that nothing else has."""
    return f"{rng.getrandbits(256):064x}"


def _pick(mailbox: Mailbox, rng: random.Random) -> tuple[Folder, int]:
    """Choose a message that has no twin in its folder and alone stands at its instant."""
    choices = [
        (folder, index)
        for folder in mailbox.values()
        for index, message in enumerate(folder.messages)
        if sum(m.digest == message.digest or m.instant == message.instant for m in folder.messages) == 1
    ]
    return rng.choice(choices)


def _twins(mailbox: Mailbox, rng: random.Random) -> tuple[Folder, int]:
    """Choose a message with an equal twin in its folder."""
    choices = [
        (folder, index)
        for folder in mailbox.values()
        for index, message in enumerate(folder.messages)
        if folder.messages.count(message) > 1
    ]
    return rng.choice(choices)


def lose(mailbox: Mailbox, rng: random.Random) -> None:
    """Lose one message."""
    folder, index = _pick(mailbox, rng)
    del folder.messages[index]


def double(mailbox: Mailbox, rng: random.Random) -> None:
    """Copy one message twice."""
    folder, index = _pick(mailbox, rng)
    folder.messages.append(folder.messages[index])


def double_unread(mailbox: Mailbox, rng: random.Random) -> None:
    """Copy one message twice, the second time with other flags and today's date."""
    folder, index = _pick(mailbox, rng)
    folder.messages.append(replace(folder.messages[index], flags=("changed",), instant=1_800_000_000))


def alter_byte(mailbox: Mailbox, rng: random.Random) -> None:
    """Flip one bit, so that only the digest changes."""
    folder, index = _pick(mailbox, rng)
    folder.messages[index] = replace(folder.messages[index], digest=digest(rng))


def alter_header(mailbox: Mailbox, rng: random.Random) -> None:
    """Add a header line, as tools that tag messages do: another digest, a few octets more."""
    folder, index = _pick(mailbox, rng)
    message = folder.messages[index]
    folder.messages[index] = replace(message, digest=digest(rng), size=message.size + 30)


def empty_message(mailbox: Mailbox, rng: random.Random) -> None:
    """Store a message without a single octet in the place of the real one."""
    folder, index = _pick(mailbox, rng)
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no octets
    folder.messages[index] = replace(folder.messages[index], digest=nothing, size=0)


def shift_date(mailbox: Mailbox, rng: random.Random) -> None:
    """Shift a date: by a second, by a zone, or to a day in summer time."""
    folder, index = _pick(mailbox, rng)
    message = folder.messages[index]
    folder.messages[index] = replace(message, instant=message.instant + rng.choice([-1, 1, 3600, -7200, 86400]))


def drop_flag(mailbox: Mailbox, rng: random.Random) -> None:
    """Drop one flag or keyword."""
    folder, index = _pick(mailbox, rng)
    message = folder.messages[index]
    folder.messages[index] = replace(message, flags=message.flags[1:])


def add_flag(mailbox: Mailbox, rng: random.Random) -> None:
    """Add a flag nobody set."""
    folder, index = _pick(mailbox, rng)
    message = folder.messages[index]
    folder.messages[index] = replace(message, flags=tuple(sorted({*message.flags, "\\deleted"})))


def swap_flags(mailbox: Mailbox, rng: random.Random) -> None:
    """Give two messages each other's flags."""
    folder, index = _pick(mailbox, rng)
    other = next(i for i, m in enumerate(folder.messages) if m.flags != folder.messages[index].flags)
    one, two = folder.messages[index], folder.messages[other]
    folder.messages[index], folder.messages[other] = replace(one, flags=two.flags), replace(two, flags=one.flags)


def move(mailbox: Mailbox, rng: random.Random) -> None:
    """Put a message into another folder."""
    folder, index = _pick(mailbox, rng)
    rng.choice([other for other in mailbox.values() if other is not folder]).messages.append(folder.messages.pop(index))


def lose_twin(mailbox: Mailbox, rng: random.Random) -> None:
    """Lose a message whose byte-identical twin lives in the same folder."""
    folder, index = _twins(mailbox, rng)
    del folder.messages[index]


def double_twin(mailbox: Mailbox, rng: random.Random) -> None:
    """Make three out of two twins."""
    folder, index = _twins(mailbox, rng)
    folder.messages.append(folder.messages[index])


def lose_twin_elsewhere(mailbox: Mailbox, rng: random.Random) -> None:
    """Lose a message whose twin lives in another folder."""
    placed = [(path, m) for path, folder in mailbox.items() for m in set(folder.messages)]
    digests = [m.digest for _, m in placed]
    path, message = rng.choice([(path, m) for path, m in placed if digests.count(m.digest) > 1])
    mailbox[path].messages.remove(message)


def lose_folder(mailbox: Mailbox, rng: random.Random) -> None:
    """Lose a folder with everything in it."""
    del mailbox[rng.choice([path for path, folder in mailbox.items() if folder.messages])]


def lose_empty_folder(mailbox: Mailbox, rng: random.Random) -> None:
    """Lose a folder that has nothing in it."""
    del mailbox[rng.choice([path for path, folder in mailbox.items() if not folder.messages])]


def merge_folders(mailbox: Mailbox, rng: random.Random) -> None:
    """Merge one folder into another, as a server without regard to case would."""
    one, two = rng.sample([path for path, folder in mailbox.items() if folder.messages], 2)
    mailbox[one].messages += mailbox.pop(two).messages


def copy_excluded(mailbox: Mailbox, rng: random.Random) -> None:
    """Copy the folder that a rule keeps out."""
    mailbox[EXCLUDED] = Folder(
        [Message(excluded_digest(number), 1_000_000_000 + number, (), 100) for number in range(2)]
    )


def copy_excluded_message(mailbox: Mailbox, rng: random.Random) -> None:
    """Copy a message over the size limit into its folder."""
    rng.choice(list(mailbox.values())).messages.append(Message(excluded_digest(0), 1_000_000_000, (), 52_428_801))


def create_excluded(mailbox: Mailbox, rng: random.Random) -> None:
    """Create the folder that a rule keeps out, empty."""
    mailbox[EXCLUDED] = Folder()


def add_stranger(mailbox: Mailbox, rng: random.Random) -> None:
    """Add a message that the source never had."""
    rng.choice(list(mailbox.values())).messages.append(Message(digest(rng), 1_700_000_000, (), 10))


def unsubscribe(mailbox: Mailbox, rng: random.Random) -> None:
    """Forget a subscription."""
    rng.choice([folder for folder in mailbox.values() if folder.subscribed]).subscribed = False


def excluded_digest(number: int) -> str:
    """Return the digest of one of the messages that a rule keeps out."""
    return f"excluded{number:056x}"


# What each corruption must be called: the word of a finding, or of a folder's fault.
CORRUPTIONS: dict[Corruption, str] = {
    lose: "lost",
    double: "doubled",
    double_unread: "doubled",
    alter_byte: "altered",
    alter_header: "altered",
    empty_message: "altered",
    shift_date: "altered",
    drop_flag: "altered",
    add_flag: "altered",
    swap_flags: "altered",
    move: "lost",
    lose_twin: "lost",
    double_twin: "doubled",
    lose_twin_elsewhere: "lost",
    lose_folder: "missing",
    lose_empty_folder: "missing",
    merge_folders: "missing",
    copy_excluded: "unexpected",
    copy_excluded_message: "unexpected",
    create_excluded: "unexpected",
    add_stranger: "unexpected",
    unsubscribe: "not subscribed",
}
