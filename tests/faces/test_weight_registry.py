"""Weight files are found in three places, checked, and fetched whole or not at all."""

import hashlib
import http.server
import os
import threading

import pytest

from core.errors import UsageError, UserError
from facelib import weights
from facelib.weights import REGISTRY, WeightFile, fetch_weights, find_weights, missing_weights_message

CONTENT = b"weights" * 50_000


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Empty places to look in, and a registry whose S3FD.npy is ``CONTENT``."""
    monkeypatch.setattr(weights, "WEIGHTS_FOLDER", tmp_path / "built_in")
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache" / "weights")
    monkeypatch.delenv("DFL_WEIGHTS", raising=False)
    sha1 = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    monkeypatch.setattr(weights, "REGISTRY", (WeightFile("S3FD.npy", sha1, "face detector"), *REGISTRY[1:]))
    return tmp_path


def _put(folder, content, name="S3FD.npy"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_registry_names_the_four_files():
    assert [entry.name for entry in REGISTRY] == ["S3FD.npy", "2DFAN.npy", "3DFAN.npy", "FaceEnhancer.npy"]
    assert all(len(entry.git_blob_sha1) == 40 and entry.licence for entry in REGISTRY)
    assert REGISTRY[0].address.startswith("https://github.com/iperov/DeepFaceLab/raw/")


def test_search_order(places, monkeypatch):
    assert find_weights("S3FD") is None
    cached = _put(places / "cache" / "weights", CONTENT)
    assert find_weights("S3FD") == find_weights("S3FD.npy") == cached
    mine, other = places / "mine", places / "other"
    monkeypatch.setenv("DFL_WEIGHTS", f"{mine}{os.pathsep}{other}")
    second = _put(other, CONTENT)
    assert find_weights("S3FD") == second
    built_in = _put(places / "built_in", CONTENT)
    assert find_weights("S3FD") == built_in


def test_unknown_content_is_used_where_the_user_put_it_and_refused_in_the_cache(places, capsys):
    _put(places / "cache" / "weights", CONTENT[:-1])
    assert find_weights("S3FD") is None
    assert "damaged" in capsys.readouterr().err
    own = _put(places / "built_in", b"retrained")
    assert find_weights("S3FD") == own
    assert "not the file that DeepFaceLab publishes" in capsys.readouterr().err


def test_git_blob_hash_is_that_of_git(places):
    empty = _put(places / "built_in", b"")
    status = empty.stat()
    # Known name of the empty blob in every git repository.
    assert weights._git_blob_sha1(str(empty), status.st_size, 0) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def test_messages_say_what_and_how():
    text = missing_weights_message("2DFAN")
    assert "2DFAN.npy" in text and "--fetch-weights" in text and "DFL_WEIGHTS" in text
    with pytest.raises(UsageError, match="known are S3FD.npy"):
        find_weights("S4FD")


@pytest.fixture
def server(places, monkeypatch):
    """A home of the files on this computer; ``served`` is what it gives out."""
    served = {"S3FD.npy": CONTENT}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = served.get(self.path.lstrip("/"))
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *unused):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as home:
        threading.Thread(target=home.serve_forever, daemon=True).start()
        monkeypatch.setattr(weights, "_ADDRESS", f"http://127.0.0.1:{home.server_port}/{{}}")
        yield served
        home.shutdown()


def test_fetching(server, places, capsys):
    (path,) = fetch_weights(["S3FD"])
    assert path.read_bytes() == CONTENT and path == find_weights("S3FD")
    assert "fetched to" in capsys.readouterr().out
    server.clear()
    assert fetch_weights(["S3FD"]) == [path]
    assert "is there already" in capsys.readouterr().out


def test_wrong_and_missing_content_leave_nothing_behind(server, places):
    server["S3FD.npy"] = b"<html>a page instead</html>"
    with pytest.raises(UserError, match="is not S3FD.npy.*By hand"):
        fetch_weights(["S3FD"])
    server.clear()
    with pytest.raises(UserError, match="cannot be fetched .*By hand: get http"):
        fetch_weights(["S3FD"])
    assert list((places / "cache" / "weights").iterdir()) == []


def test_without_a_network(monkeypatch):
    monkeypatch.setattr(weights, "_ADDRESS", "http://127.0.0.1:9/{}")
    with pytest.raises(UserError, match="3DFAN.npy: cannot be fetched .*refused.*By hand"):
        fetch_weights(["3DFAN"])
