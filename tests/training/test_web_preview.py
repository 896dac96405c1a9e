"""The preview in a browser answers nonsense with a plain error, and no browser can keep the training waiting."""

import contextlib
import json
import socket
import time
import types
import urllib.error
import urllib.request

import numpy as np
import pytest

from models.preview import web_preview
from models.preview.web_preview import HOST, MOST_CONNECTIONS, WebPreview

PAGE = np.zeros((8, 8, 3), np.float32)


def make_trainer(prefix="t_SAEHD", losses=(0.5, 0.25), pages=(("one", PAGE), ("two", PAGE))):
    state = types.SimpleNamespace(pages=list(pages), history=[list(losses)], iteration=3, made_at=1.0, held_out=[])
    data = types.SimpleNamespace(iteration=3, loss_history=[list(losses)])
    saved = types.SimpleNamespace(prefix=prefix, data=data)
    return types.SimpleNamespace(saved=saved, previewer=types.SimpleNamespace(state=state))


@pytest.fixture
def serve():
    """Start a preview; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def start(**form):
            web = WebPreview(0, make_trainer(**form))
            stack.callback(web.close)
            return web

        yield start


def ask(web, line, headers=b"Host: localhost\r\n"):
    """The whole answer to a raw request."""
    with socket.create_connection((HOST, web.port), timeout=30) as connection:
        connection.sendall(line + b"\r\n" + headers + b"\r\n")
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer


@pytest.mark.parametrize(
    "address",
    [b"/preview.jpg?page=", b"/preview.jpg?page=-1", b"/preview.jpg?page=x", b"/preview.jpg?page=1.5",
     b"/preview.jpg?page=" + b"9" * 5000, "/preview.jpg?page=²".encode("latin-1"), b"/preview.jpg?page=%C2%B2",
     b"/preview.jpg?page=%D9%A3", b"/preview.jpg?page=1&page=2", b"/?" + b"a=1&" * 50, b"http://[x/status"],
)  # fmt: skip
def test_a_senseless_address_is_answered_400_and_the_console_stays_clean(serve, capfd, address):
    web = serve()
    assert ask(web, b"GET " + address + b" HTTP/1.0").startswith(b"HTTP/1.0 400")
    assert b" 200 " in ask(web, b"GET /status HTTP/1.0").split(b"\r\n")[0]
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("line", "code"),
    [(b"GET /../../etc/passwd HTTP/1.0", b"404"), (b"GET /%2e%2e/etc/passwd HTTP/1.0", b"404"),
     (b"GET /status/../../x HTTP/1.0", b"404"), (b"POST / HTTP/1.0", b"501"), (b"GET / HTTP/9.9", b"505"),
     (b"GET / HTTP/x", b"400"), (b"\xff\xfe\x00", b"400"), (b"GET //[ HTTP/1.0", b"404"), (b"GET /" + b"a" * 60000 + b" HTTP/1.0", b"404")],
)  # fmt: skip
def test_other_nonsense_gets_an_error_code(serve, capfd, line, code):
    assert code in ask(serve(), line)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_only_this_machine_under_its_own_name(serve):
    web = serve()
    assert b"403" in ask(web, b"GET /status HTTP/1.0", b"Host: evil.example\r\n").split(b"\r\n")[0]
    assert b"403" in ask(web, b"GET /status HTTP/1.0", b"").split(b"\r\n")[0]
    assert web._server.server_address[0] == "127.0.0.1"


def test_the_name_of_a_model_cannot_be_markup(serve):
    page = ask(serve(prefix="<script>alert(1)</script>&%s\udcff_SAEHD"), b"GET / HTTP/1.0")
    assert b"<script>alert" not in page and b"&lt;script&gt;alert(1)&lt;/script&gt;&amp;%s?_SAEHD" in page


def test_losses_that_are_not_finite_are_still_json(serve):
    content = ask(serve(losses=(float("nan"), np.float32("inf"), 0.5)), b"GET /status HTTP/1.0").partition(b"\r\n\r\n")[
        2
    ]
    assert json.loads(content, parse_constant=pytest.fail)["losses"] == [None, None, 0.5]


def test_a_page_that_is_not_there_any_more_and_no_pages(serve):
    assert b" 200 " in ask(serve(), b"GET /preview.jpg?page=7 HTTP/1.0").split(b"\r\n")[0]
    assert b" 404 " in ask(serve(pages=()), b"GET /preview.jpg HTTP/1.0").split(b"\r\n")[0]


def test_slow_browsers_are_bounded_in_number_and_cut_off(serve, monkeypatch):
    """Silent connections take all places, a further one is refused, and after their time everybody is served again."""
    monkeypatch.setattr(web_preview, "LIFE_SECONDS", 3600)
    monkeypatch.setattr(web_preview, "SILENCE_SECONDS", 3600)
    web = serve()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection((HOST, web.port))) for _ in range(MOST_CONNECTIONS)]
        for connection in silent:
            connection.sendall(b"GET / HT")
        end = time.monotonic() + 30
        while len(web._server._begun) < MOST_CONNECTIONS and time.monotonic() < end:
            time.sleep(0.01)
        with pytest.raises((ConnectionError, urllib.error.URLError)):
            urllib.request.urlopen(f"http://{HOST}:{web.port}/status", timeout=30).read()
        monkeypatch.setattr(web_preview, "LIFE_SECONDS", 0)
        for connection in silent:
            connection.settimeout(30)
            assert connection.recv(100) == b""  # cut off, though it never fell silent for long
        monkeypatch.setattr(web_preview, "LIFE_SECONDS", 3600)
    while web._server._begun and time.monotonic() < end:
        time.sleep(0.01)
    assert b" 200 " in ask(web, b"GET /status HTTP/1.0").split(b"\r\n")[0]


def test_closing_does_not_wait_for_a_silent_browser():
    web = WebPreview(0, make_trainer())
    with socket.create_connection((HOST, web.port)) as connection:
        connection.sendall(b"GET / HT")
        web.close()
        assert not web._thread.is_alive() or web._thread.join(30) is None
        connection.settimeout(30)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100) == b""


def test_a_browser_that_goes_away_leaves_no_trace(serve, capfd):
    web = serve()
    connection = socket.create_connection((HOST, web.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.sendall(b"GET /preview.jpg HTTP/1.0\r\nHost: localhost\r\n\r\n")
    connection.close()
    assert b" 200 " in ask(web, b"GET /status HTTP/1.0").split(b"\r\n")[0]
    assert "Traceback" not in "".join(capfd.readouterr())
