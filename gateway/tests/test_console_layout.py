"""The console in a real browser: what is on the screen at which width."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CONSOLE = Path(__file__).parents[1] / "console"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package chromium")

LONG = "minutes-of-the-extraordinary-general-meeting-" * 5 + "final.pdf"
PERSIAN = "سیاست مرخصی کارکنان " * 8 + "نسخهٔ نهایی.docx"
DOCUMENTS = [
    {
        "document_id": str(number),
        "filename": name,
        "state": state,
        "page_count": 3,
        "chunk_count": 12,
        "indexed_chunk_count": 4,
    }
    for number, (name, state) in enumerate([(LONG, "READY"), (PERSIAN, "INDEXING"), *[("short.md", "READY")] * 8])
]
CONVERSATIONS = [{"conversation_id": str(number), "title": f"Question {number}"} for number in range(12)]
CITATION = {"marker": 1, "answer_start": 0, "answer_end": 40}
ANSWERS = {
    "early": {"text": "Nothing fits.", "completed": {"finish_reason": "NO_ANSWER", "documents_in_progress": 2}},
    "deleted": {"text": "So it was [1].", "citation": {**CITATION, "check": "SOURCE_DELETED"}, "completed": {}},
}
# A browser's window has a least width, a frame has none; it begins with somebody logged in.
FRAME = """<body style="margin: 0"><script>
sessionStorage.setItem("docuchat.refresh_token", "x");
const frame = document.createElement("iframe");
const [width, height] = location.search.slice(1).split("x");
Object.assign(frame, { width, height, src: "/" + location.hash, frameBorder: 0 });
document.body.append(frame);
</script>"""
# Runs in the page, asks the question in the address if there is one, and writes what it sees where --dump-dom finds it.
PROBE = """
const box = (element) => {
  const { top, bottom, left, right } = element.getBoundingClientRect();
  return { top, bottom, left, right };
};
const look = () => {
  const seen = {
    width: innerWidth, height: innerHeight, pageWidth: document.documentElement.scrollWidth,
    question: box(document.getElementById("question")),
    library: box(document.getElementById("library")),
    buttons: [...document.querySelectorAll("#documents button")].map(box),
    meta: document.querySelector(".turn .meta")?.textContent,
    chips: [...document.querySelectorAll(".cite")].map((one) => [one.title, one.disabled]),
  };
  parent.document.body.dataset.seen = JSON.stringify(seen);
};
setTimeout(() => {
  const question = decodeURIComponent(location.hash.slice(1));
  document.getElementById("question").value = question;
  document.getElementById("ask").requestSubmit();
  setTimeout(look, 700);
}, 700);
"""


class Api(BaseHTTPRequestHandler):
    """The console's files, and the few answers it needs."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/frame":
            return self.answer(FRAME.encode(), "text/html")
        if path == "/probe.js":
            return self.answer(PROBE.encode(), "text/javascript")
        if path == "/":
            page = (CONSOLE / "index.html").read_text()
            return self.answer(
                page.replace("</body>", '<script src="/probe.js"></script></body>').encode(), "text/html"
            )
        if path.startswith("/console/"):
            kind = "text/css" if path.endswith(".css") else "text/javascript"
            return self.answer((CONSOLE / path.removeprefix("/console/")).read_bytes(), kind)
        found = {
            "/v1/documents": {"documents": DOCUMENTS},
            "/v1/conversations": {"conversations": CONVERSATIONS},
            "/v1/me": {"user": {"email": "me@example.org"}},
        }
        return self.answer(json.dumps(found.get(path, {})).encode(), "application/json")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/ask":
            return self.answer(
                json.dumps({"tokens": {"access_token": "a", "refresh_token": "r"}}).encode(), "application/json"
            )
        answer = ANSWERS[body["question"]]
        events = [{"text_delta": {"text": answer["text"]}}]
        events += [{"citation": answer["citation"]}] if "citation" in answer else []
        events += [{"completed": {"provider": "extractive", "model": "", **answer["completed"]}}]
        return self.answer("".join(f"data: {json.dumps(one)}\n\n" for one in events).encode(), "text/event-stream")

    def answer(self, content, kind):
        self.send_response(200)
        self.send_header("content-type", f"{kind}; charset=utf-8")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Load the console at a width, ask a question if one is given, and return what is seen."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def load(width, height, question=""):
        folder = tmp_path_factory.mktemp("browser")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--hide-scrollbars"]
        size = [f"--window-size={max(width, 800)},{height + 200}", "--virtual-time-budget=6000", "--dump-dom"]
        address = f"http://127.0.0.1:{server.server_port}/frame?{width}x{height}#{question}"
        done = subprocess.run(
            [CHROMIUM, *flags, *size, address], capture_output=True, text=True, timeout=60, check=True
        )
        seen = done.stdout.partition('data-seen="')[2].partition('"')[0]
        return json.loads(seen.replace("&quot;", '"').replace("&amp;", "&"))

    yield load
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("size", [(1400, 900), (390, 844)])
def test_every_document_can_be_deleted_whatever_it_is_called(look, size):
    seen = look(*size)
    assert len(seen["buttons"]) == len(DOCUMENTS)
    assert all(
        seen["library"]["left"] <= box["left"] < box["right"] <= seen["library"]["right"] for box in seen["buttons"]
    )
    assert seen["pageWidth"] <= seen["width"]


def test_on_a_phone_the_question_stands_on_the_first_screen(look):
    # What the browser of a phone of 390 by 844 leaves to the page.
    seen = look(390, 664)
    assert 0 <= seen["question"]["top"] < seen["question"]["bottom"] <= seen["height"]


def test_an_answer_that_came_too_early_says_so(look):
    assert look(1400, 900, "early")["meta"].startswith("2 documents are still being indexed: ask again afterwards.")


def test_a_citation_of_a_deleted_document_says_so_and_leads_nowhere(look):
    seen = look(1400, 900, "deleted")
    assert seen["chips"] == [["This document has been deleted.", True]]
    assert "1 of a document deleted since" in seen["meta"]
