"""What people read: errors, states, words, numbers and dates, in English and Italian."""

from mailhaul.texts.catalogue import CATALOGUE, Explained, explain, row_failed
from mailhaul.texts.files import remark_place, remark_sentence
from mailhaul.texts.language import Language, Term, spoken
from mailhaul.texts.numbers import moment, number, size, span
from mailhaul.texts.words import line_failed

__all__ = [
    "CATALOGUE",
    "Explained",
    "Language",
    "Term",
    "explain",
    "line_failed",
    "moment",
    "number",
    "remark_place",
    "remark_sentence",
    "row_failed",
    "size",
    "span",
    "spoken",
]
