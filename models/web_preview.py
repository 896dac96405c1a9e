"""The preview and the loss graph in a browser of this machine: read-only, 127.0.0.1."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import isfinite
from urllib.parse import parse_qs, urlparse

from core import interact
from core.errors import UserError
from core.imageio import encode_image
from models import preview
from models.hooks import Hook

HOST = "127.0.0.1"
REFRESH_MILLISECONDS = 3000

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


class WebPreview(Hook):
    """A small web server with the latest preview; nothing can be changed through it.

    Parameters
    ----------
    port : int
        0 takes a free one.
    trainer : models.trainer.Trainer

    Raises
    ------
    UserError
        When the port cannot be used.
    """

    def __init__(self, port: int, trainer):
        self._trainer = trainer
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                web.answer(self)

            def log_message(self, *arguments):
                """Say nothing."""

        try:
            self._server = ThreadingHTTPServer((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            raise UserError(f"--web-preview {port}: the port cannot be used ({error}). Choose another.") from None
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="web_preview", daemon=True)
        self._thread.start()
        interact.info(f"Preview in the browser: http://{HOST}:{self.port}/")

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a GET: ``/``, ``/status``, ``/preview.jpg?page=N``."""
        # A page of another site must not read this one under a name that it points to 127.0.0.1.
        if request.headers.get("Host", "").split(":")[0] not in (HOST, "localhost"):
            self._send(request, 403, "text/plain", b"")
            return
        place = urlparse(request.path)
        if place.path == "/":
            values = {"title": self._trainer.saved.prefix, "refresh": REFRESH_MILLISECONDS}
            self._send(request, 200, "text/html; charset=utf-8", (_PAGE % values).encode())
        elif place.path == "/status":
            self._send(request, 200, "application/json", self._status())
        elif place.path == "/preview.jpg" and self._trainer.previewer.state is not None:
            self._send(request, 200, "image/jpeg", self._picture(parse_qs(place.query).get("page", ["0"])[0]))
        else:
            self._send(request, 404, "text/plain", b"")

    def _status(self):
        state, data = self._trainer.previewer.state, self._trainer.saved.data
        content = {
            "model": self._trainer.saved.prefix,
            "iteration": data.iteration,
            # JSON has no numbers that are not finite.
            "losses": [loss if isfinite(loss) else None for loss in (data.loss_history or [[]])[-1]],
            "pages": [name for name, _ in state.pages] if state else [],
            "made_at": state.made_at if state else 0,
        }
        return json.dumps(content).encode()

    def _picture(self, page):
        state = self._trainer.previewer.state
        index = int(page) % len(state.pages) if page.isdigit() else 0
        picture = preview.window_picture(state.pages, index, state.history, state.iteration, with_keys=False)
        return encode_image(picture, ".jpg", 90)

    @staticmethod
    def _send(request, code, kind, content):
        request.send_response(code)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.send_header("Cache-Control", "no-store")
        request.end_headers()
        request.wfile.write(content)
