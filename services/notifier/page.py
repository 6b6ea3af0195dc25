"""A letter as HTML: one column of 600 px, the look's tokens written into every element, nothing fetched."""

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mailhaul.texts.states import Colour
from services.notifier.letter import Letter

# The look's light and dark tokens; a mail cannot refer to the panel's style sheet.
LIGHT = {
    Colour.GREY: "#5f6b7c",
    Colour.BLUE: "#1f5fbf",
    Colour.TEAL: "#0b7478",
    Colour.GREEN: "#1b7a3d",
    Colour.AMBER: "#8f5b00",
    Colour.RED: "#b3261e",
    Colour.VIOLET: "#6b4bb8",
}


class Pages:
    """Renders letters; made once at start, because it reads the template."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("services.notifier"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)

    def html(self, letter: Letter) -> str:
        """The HTML part."""
        template = self._environment.get_template("mail.html.j2")
        kinds = [(type(block).__name__.lower(), block) for block in letter.blocks]
        return self._inliner.inline(template.render(letter=letter, blocks=kinds, accent=LIGHT[letter.colour]))
