"""The panel's API from a terminal: a token from its 0600 file, problems as exit codes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from mailhaul.cli.exits import CommandFailed, Exit

if TYPE_CHECKING:
    import httpx2

API = "/api/v1"
TIMEOUT = 60.0
CODES = {401: Exit.AUTHENTICATION, 403: Exit.AUTHENTICATION}
INVALID = frozenset({"file_refused", "name_taken"})


class Problem(CommandFailed):
    """The panel answered with a problem."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = str(body.get("code", ""))
        self.errors: list[dict[str, Any]] = list(body.get("errors", []))
        code = CODES.get(status, Exit.INVALID if self.problem in INVALID else Exit.ERROR)
        text = f"{body.get('title', f'the panel answered with status {status}')} {body.get('detail', '')}".strip()
        super().__init__(text, code)


@dataclass(frozen=True, slots=True)
class Where:
    """The panel's address and the token for it."""

    url: str
    token: str


def where(url: str | None, token_file: Path | None) -> Where:
    """The panel of this machine unless told otherwise. Raises CommandFailed without a token."""
    from mailhaul.settings import Settings
    from mailhaul.stack.installation import Installation

    settings = Settings()
    found = Installation(settings.state_dir)
    file = token_file or settings.panel.token_file or found.token_file
    address = url or settings.panel.url or found.read().panel_url
    address = address or f"http://{settings.panel.host}:{settings.panel.port}"
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        hint = "start the stack with `mailhaul up`, or name the file with --token-file"
        raise CommandFailed(f"there is no token in {file}", Exit.AUTHENTICATION, hint) from error
    return Where(address.rstrip("/"), token)


class Panel:
    """One conversation with the panel; use it as a context. `patience`: seconds to wait for the scheduler's answer."""

    def __init__(self, place: Where, language: str = "en", patience: float = 5.0) -> None:
        import httpx2

        self.patience = patience
        self._url = place.url
        # A proxy has no business between this terminal and the panel on its own machine.
        near = (urlsplit(place.url).hostname or "") in ("127.0.0.1", "localhost", "::1")
        self._http = httpx2.Client(
            base_url=place.url + API,
            headers={"Authorization": f"Bearer {place.token}", "Accept-Language": language},
            timeout=TIMEOUT,
            trust_env=not near,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **query: object) -> Any:
        """Read something."""
        return self._call("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Ask for something; `key` makes a repeat find the first."""
        return self._call("POST", path, json=body, headers={"Idempotency-Key": key} if key else None)

    def upload(self, fields: Mapping[str, Any], name: str, content: bytes, *, key: str | None = None) -> Any:
        """Send a file with its form."""
        headers = {"Idempotency-Key": key} if key else None
        return self._call("POST", "/migrations", data=dict(fields), files={"file": (name, content)}, headers=headers)

    def delete(self, path: str, **query: object) -> Any:
        """Remove something."""
        return self._call("DELETE", path, params={name: value for name, value in query.items() if value is not None})

    def pages(self, path: str, items: str, **query: object) -> Iterator[dict[str, Any]]:
        """Every item of a paged list."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page[items]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def lines(self, path: str, **query: object) -> Iterator[str]:
        """A text, as it comes."""
        params = {name: value for name, value in query.items() if value is not None}
        with self._answering(), self._http.stream("GET", path, params=_plain(params)) as answer:
            if answer.is_error:
                answer.read()
                self._raise(answer)
            yield from answer.iter_text()

    def _call(self, method: str, path: str, **more: Any) -> Any:
        if "params" in more:
            more["params"] = _plain(more["params"])
        with self._answering():
            answer = self._http.request(method, path, **more)
        if answer.is_error:
            self._raise(answer)
        return answer.json() if answer.content else None

    def _raise(self, answer: "httpx2.Response") -> None:
        try:
            body = answer.json()
        except ValueError:
            body = {}
        raise Problem(answer.status_code, body if isinstance(body, dict) else {})

    @contextmanager
    def _answering(self) -> Iterator[None]:
        import httpx2

        try:
            yield
        except httpx2.ConnectError as error:
            raise CommandFailed(
                f"nothing answers at {self._url}", hint="start the stack with `mailhaul up`, or give --url"
            ) from error
        except httpx2.TransportError as error:
            raise CommandFailed(f"the panel at {self._url} did not answer: {type(error).__name__}") from error


def of(code: str, *more: str) -> str:
    """The path of a migration, or of something below it."""
    return "/".join(["/migrations", *(quote(part, safe="") for part in (code.strip().upper(), *more))])


def _plain(params: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in params.items()}
