"""The application: routes behind the guard, errors as problems."""

from fastapi import FastAPI

from mailhaul import __version__
from services.panel import problems, registry, routes_ask, routes_installation, routes_read, routes_upload
from services.panel.desk import Desk
from services.panel.guard import Guard, allowed_names

API = "/api/v1"


def make_app(desk: Desk) -> FastAPI:
    """The panel's application around a desk."""
    app = FastAPI(
        title="Mailhaul",
        version=__version__,
        description="Moves mailboxes in bulk. Every request is answered with 202 and decided by the scheduler.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.desk = desk
    problems.install(app)
    for routes in (routes_upload, routes_read, routes_ask, routes_installation):
        app.include_router(routes.router, prefix=API)
    app.include_router(routes_installation.plain)
    app.include_router(registry.router)
    app.add_middleware(Guard, names=allowed_names(desk.settings.panel))
    return app
