"""The console: a few static files that Envoy holds in memory and serves at `/` and `/console/`."""

from pathlib import Path

from gateway.clusters import Node, add_header
from gateway.filters import without_transcoder

LARGEST_FILE_BYTES = 256 * 1024

TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
SECURITY_HEADERS = {
    # Scripts and styles come from here and nowhere else, so text of a document can never become one.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def build_page_routes(folder: Path) -> list[Node]:
    """Returns a route for each file of the folder, and one from `/` to its index.html."""
    files = sorted(path for path in folder.iterdir() if path.suffix in TYPES)
    pages = [_page(f"/console/{file.name}", file) for file in files if file.name != "index.html"]
    return [_page("/", folder / "index.html"), *pages]


def _page(path: str, file: Path) -> Node:
    reading = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
    headers = {"content-type": f"{TYPES[file.suffix]}; charset=utf-8"} | SECURITY_HEADERS
    return {
        "match": {"path": path, "headers": [reading]},
        "direct_response": {"status": 200, "body": {"filename": str(file.resolve())}},
        "response_headers_to_add": [add_header(name, value) for name, value in headers.items()],
        "typed_per_filter_config": without_transcoder(),
    }
