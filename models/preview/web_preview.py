"""The preview and the loss graph in a browser of this machine: read-only, 127.0.0.1."""

import html
import json
import math
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

from core.console import interact
from core.errors import UserError
from core.files.imageio import encode_image
from models.preview import pages as preview
from models.training.callbacks import Hook

HOST = "127.0.0.1"
REFRESH_MILLISECONDS = 3000
MOST_CONNECTIONS = 16
SILENCE_SECONDS, LIFE_SECONDS = 5, 20
"""How long a browser may say nothing, and how long one request may take in all."""
_LONGEST_PAGE_NUMBER = 4

_PAGE = """<!doctype html><meta charset="utf-8"><title>%(title)s</title>
<style>body{background:#1a1a1a;color:#ccc;font:14px sans-serif;margin:1em}a{color:#8cf;margin-right:1em}</style>
<h1>%(title)s</h1><p id="status"></p><p id="pages"></p><img id="picture" alt="preview">
<script>
let page = 0;
async function refresh() {
  const answer = await fetch('status');
  if (!answer.ok) return;
  const state = await answer.json();
  document.getElementById('status').textContent =
    'Iteration ' + state.iteration + ', losses ' + state.losses.map(x => x === null ? 'not finite' : x.toFixed(4)).join(' ');
  const links = state.pages.map((name, i) => {
    const link = document.createElement('a');
    link.textContent = name; link.href = '#'; link.onclick = () => { page = i; refresh(); return false; };
    return link;
  });
  document.getElementById('pages').replaceChildren(...links);
  document.getElementById('picture').src = 'preview.jpg?page=' + page + '&iteration=' + state.made_at;
}
refresh(); setInterval(refresh, %(refresh)d);
</script>"""


class BadRequest(ValueError):
    """What a browser asks for makes no sense."""


class _Server(ThreadingHTTPServer):
    """Answers a bounded number of requests at a time, each for a bounded time, and never writes to the console."""

    daemon_threads = True

    def __init__(self, *arguments):
        self._begun, self._lock = {}, threading.Lock()
        super().__init__(*arguments)

    def verify_request(self, request, client_address):
        with self._lock:
            if len(self._begun) >= MOST_CONNECTIONS:
                return False
            self._begun[request] = time.monotonic()
        return True

    def shutdown_request(self, request):
        with self._lock:
            self._begun.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self):
        """Called about twice a second: end what takes too long, however busily it sends."""
        self.end_requests(older_than=LIFE_SECONDS)

    def end_requests(self, older_than=0.0):
        """Cut off requests that were begun so many seconds ago."""
        latest = time.monotonic() - older_than
        with self._lock:
            overdue = [request for request, begun in self._begun.items() if begun <= latest]
        for request in overdue:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        """A browser that went away, or sends nonsense, is no news for the console of a training."""


class WebPreview(Hook):
    """A small web server with the latest preview; nothing can be changed through it.

    Parameters
    ----------
    port : int
        0 takes a free one.
    trainer : models.training.trainer.Trainer

    Raises
    ------
    UserError
        When the port cannot be used.
    """

    def __init__(self, port: int, trainer: Any):
        self._trainer = trainer
        web = self

        class Handler(BaseHTTPRequestHandler):
            timeout = SILENCE_SECONDS

            def do_GET(self):
                web.answer(self)

            def log_message(self, *arguments):
                """Say nothing."""

        try:
            self._server = _Server((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            raise UserError(f"--web-preview {port}: the port cannot be used ({error}). Choose another.") from None
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="web_preview", daemon=True)
        self._thread.start()
        interact.info(f"Preview in the browser: http://{HOST}:{self.port}/")

    def close(self) -> None:
        self._server.shutdown()
        self._server.end_requests()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a GET: ``/``, ``/status``, ``/preview.jpg?page=N``."""
        # A page of another site must not read this one under a name that it points to 127.0.0.1.
        if request.headers.get("Host", "").split(":")[0] not in (HOST, "localhost"):
            self._send(request, 403, "text/plain", b"")
            return
        try:
            path, page = _asked_for(request.path)
        except BadRequest as error:
            self._send(request, 400, "text/plain; charset=utf-8", f"{error}\n".encode())
            return
        state = self._trainer.previewer.state
        if path == "/":
            values = {"title": html.escape(self._trainer.saved.prefix), "refresh": REFRESH_MILLISECONDS}
            content = (_PAGE % values).encode(errors="replace")
            self._send(request, 200, "text/html; charset=utf-8", content)
        elif path == "/status":
            self._send(request, 200, "application/json", self._status(state))
        elif path == "/preview.jpg" and state is not None and state.pages:
            self._send(request, 200, "image/jpeg", self._picture(state, page))
        else:
            self._send(request, 404, "text/plain", b"")

    def _status(self, state):
        data = self._trainer.saved.data
        losses = data.loss_history[-1] if data.loss_history else []
        content = {
            "model": self._trainer.saved.prefix,
            "iteration": data.iteration,
            "losses": [float(loss) if math.isfinite(loss) else None for loss in losses],
            "pages": [name for name, _ in state.pages] if state else [],
            "made_at": state.made_at if state else 0,
        }
        return json.dumps(content).encode()

    @staticmethod
    def _picture(state, page):
        picture = preview.window_picture(
            state.pages, page % len(state.pages), state.history, state.iteration, (), state.held_out
        )
        return encode_image(picture, ".jpg", 90)

    @staticmethod
    def _send(request, code, kind, content):
        request.send_response(code)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.send_header("Cache-Control", "no-store")
        request.send_header("X-Content-Type-Options", "nosniff")
        request.end_headers()
        request.wfile.write(content)


def _asked_for(address):
    """Path and number of the page in an address."""
    try:
        place = urlparse(address)
        pages = parse_qs(place.query, keep_blank_values=True, max_num_fields=10).get("page", ["0"])
    except ValueError:
        raise BadRequest("This address cannot be read.") from None
    page = pages[0]
    if len(pages) > 1 or not (page.isascii() and page.isdigit() and len(page) <= _LONGEST_PAGE_NUMBER):
        raise BadRequest("page= must be one number of a page.")
    return place.path, int(page)
