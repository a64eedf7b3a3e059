"""HTTP as a script speaks it: JSON, raw uploads, forms and server-sent events."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The reason of the one ErrorInfo."""
        (info,) = [detail for detail in self.json["details"] if detail["@type"].endswith("google.rpc.ErrorInfo")]
        return info["reason"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON of each server-sent event."""
        return [parse_event(part) for part in self.body.decode().split("\n\n") if part.strip()]


def parse_event(part: str) -> dict[str, Any]:
    """Returns the data of one event (WHATWG HTML, section 9.2): its `data:` lines joined."""
    lines = [line.removeprefix("data:").removeprefix(" ") for line in part.splitlines() if line.startswith("data:")]
    return json.loads("\n".join(lines))


@dataclass(frozen=True)
class HttpClient:
    """Sends requests to one gateway, with one token or none."""

    port: int
    token: str = ""
    timeout_seconds: float = TIMEOUT_SECONDS

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        own = {"authorization": f"Bearer {self.token}"} if self.token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_seconds)
        try:
            connection.request(method, path, body, own | (headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **query: object) -> Reply:
        return self.send("GET", f"{path}?{urlencode(query)}" if query else path)

    def delete(self, path: str) -> Reply:
        return self.send("DELETE", path)

    def post(self, path: str, **fields: object) -> Reply:
        return self.send("POST", path, json.dumps(fields).encode(), {"content-type": "application/json"})

    def upload(self, content: bytes, filename: str, **query: object) -> Reply:
        """Sends a raw body."""
        path = f"/v1/documents?{urlencode({'filename': filename, **query})}"
        return self.send("POST", path, content, {"content-type": "application/octet-stream"})

    def upload_form(self, *files: tuple[str, bytes]) -> Reply:
        """Sends files as `curl -F file=@a -F file=@b` does."""
        boundary = uuid4().hex
        parts = [
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n'
            f"content-type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in files
        ]
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        return self.send("POST", "/v1/documents", body, {"content-type": f"multipart/form-data; boundary={boundary}"})
