"""Results say what they are: C2PA manifests read back with C2PA's own reader, XMP, comments, verify's exit codes."""

import hashlib
import json
import os
import stat
from datetime import datetime, timedelta, timezone

import pytest
import video_clips as clips
from c2pa import Reader

from core.errors import FormatError, NothingToDo, UserError
from core.files.imageio import write_image
from core.provenance.certificate import _sign, load_certificate, local_certificate
from core.provenance.manifest import Story, marked, sidecar_of
from core.provenance.marks import SOURCE_TYPE, read_comment, read_xmp
from core.provenance.reader import read_marks
from core.version import NAME, VERSION
from merger.merge_record import consents_of, read_record, record_merge
from models.saved.model_hash import hash_model
from samplelib.faces.consent import read_consent, report_consent

CONSENT = {"subject": "Ada L.", "basis": "signed agreement", "scope": "short film", "date": "2026-03-01"}


@pytest.fixture(autouse=True)
def own_settings_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DFL_CONFIG_DIR", str(tmp_path / "settings"))


@pytest.fixture
def workspace(tmp_path):
    """A workspace after merging: reference, merged frames with the record of the model, one consent."""
    work = tmp_path / "work space"
    merged = work / "data_dst" / "merged"
    merged.mkdir(parents=True)
    clips.make_clip(work / "data_dst.mp4", 6)
    for number in range(6):
        write_image(merged / f"{number + 1:05d}.png", clips.numbered_frame(number))
    model = work / "model"
    model.mkdir()
    for name in ("old_SAEHD_data.dat", "ada_SAEHD_data.dat", "ada_SAEHD_encoder.npy", "ada_SAEHD_summary.txt"):
        (model / name).write_bytes(name.encode())
    os.utime(model / "old_SAEHD_data.dat", (1, 1))
    (work / "data_src" / "aligned").mkdir(parents=True)
    (work / "data_src" / "aligned" / "consent.json").write_text(json.dumps(CONSENT))
    record_merge(merged, model, "SAEHD", "ada", [work / "data_src" / "aligned", work / "data_dst" / "aligned"])
    return work


def make_result(work, name, *flags, merged="data_dst/merged"):
    return clips.call_main(
        "videoed", "video-from-sequence", "--input-dir", work / merged, "--output-file", work / name,
        "--reference-file", work / "data_dst.*", "--bitrate", 2, *flags,
    )  # fmt: skip


def read_manifest(video, manifest=None):
    with open(video, "rb") as stream, Reader(None, stream, manifest) as reader:
        return json.loads(reader.json())


def assertions_of(store):
    manifest = store["manifests"][store["active_manifest"]]
    return manifest, {entry["label"]: entry["data"] for entry in manifest["assertions"]}


def codes_of(store, kind):
    return [entry["code"] for entry in store["validation_results"]["activeManifest"][kind]]


@pytest.mark.parametrize("name", ["result.mp4", "result.mov"])
def test_a_result_carries_a_manifest_that_is_valid_apart_from_its_issuer(workspace, name):
    done = make_result(workspace, name)
    assert done.returncode == 0, done.stderr
    store = read_manifest(workspace / name)
    assert store["validation_state"] == "Valid"
    assert codes_of(store, "failure") == ["signingCredential.untrusted"]
    assert "assertion.bmffHash.match" in codes_of(store, "success")
    manifest, assertions = assertions_of(store)
    assert manifest["claim_generator_info"][0]["name"] == NAME
    assert manifest["claim_generator_info"][0]["version"] == VERSION
    assert manifest["title"] == name
    opened, edited = assertions["c2pa.actions.v2"]["actions"]
    assert opened["action"] == "c2pa.opened" and opened["parameters"]["ingredients"]
    assert edited["action"] == "c2pa.edited" and edited["digitalSourceType"] == SOURCE_TYPE
    (parent,) = manifest["ingredients"]
    assert (parent["title"], parent["relationship"]) == ("data_dst.mp4", "parentOf")
    facts = next(data for label, data in assertions.items() if "face-swap" in label)
    assert facts["model"] == hash_model(workspace / "model", "SAEHD", "ada")
    consent = (workspace / "data_src" / "aligned" / "consent.json").read_bytes()
    assert facts["consent"] == [{"faceset": "data_src", "sha256": hashlib.sha256(consent).hexdigest()}]
    assert "Ada" not in json.dumps(store)
    assert SOURCE_TYPE in read_xmp(workspace / name) and SOURCE_TYPE in read_comment(workspace / name)


def test_avi_gets_its_manifest_in_a_file_beside_it(workspace):
    assert make_result(workspace, "result.avi").returncode == 0
    sidecar = workspace / "result.c2pa"
    store = read_manifest(workspace / "result.avi", sidecar.read_bytes())
    assert store["validation_state"] == "Valid" and codes_of(store, "failure") == ["signingCredential.untrusted"]
    assert SOURCE_TYPE in read_comment(workspace / "result.avi")
    done = clips.call_main("videoed", "verify", workspace / "result.avi")
    assert done.returncode == 0 and "(in result.c2pa)" in done.stdout
    assert sidecar_of(workspace / "result.mkv").name == "result.mkv.c2pa"
    assert make_result(workspace, "result.avi", "--no-provenance").returncode == 0
    assert not sidecar.exists()


def test_verify_tells_what_is_known_and_exits_by_it(workspace):
    assert make_result(workspace, "result.mp4").returncode == 0
    result = workspace / "result.mp4"
    done = clips.call_main("videoed", "verify", result)
    assert done.returncode == 0
    for line in (
        "C2PA manifest: valid; the file is as it was signed, but nobody vouches for the signer",
        f"Signed by: {NAME}, local user ({NAME})",
        f"Made with: {NAME} {VERSION}",
        "Made from: data_dst.mp4 (it had no manifest)",
        f"Model: ada (SAEHD), sha256 {hash_model(workspace / 'model', 'SAEHD', 'ada')['sha256']}",
        "Consent record of data_src: sha256 ",
        "The file states that a machine-learning model made part of the pictures.",
    ):
        assert line in done.stdout
    data = bytearray(result.read_bytes())
    data[data.index(b"mdat") + 400] ^= 1
    (workspace / "changed.mp4").write_bytes(data)
    done = clips.call_main("videoed", "verify", workspace / "changed.mp4")
    assert done.returncode == 4 and "NOT valid: asset hash error" in done.stdout
    clips.ffmpeg("-i", result, "-c", "copy", workspace / "remuxed.mp4")
    done = clips.call_main("videoed", "verify", workspace / "remuxed.mp4")
    assert done.returncode == 5 and "C2PA manifest: none" in done.stdout and SOURCE_TYPE in done.stdout
    done = clips.call_main("videoed", "verify", workspace / "data_dst.mp4")
    assert done.returncode == 3 and "Nothing in the file states" in done.stdout
    done = clips.call_main("videoed", "verify", workspace / "model" / "ada_SAEHD_data.dat")
    assert done.returncode == 1 and "is no readable video" in done.stderr


def test_switching_it_off_says_what_that_means(workspace):
    done = make_result(workspace, "result.mp4", "--no-provenance")
    assert done.returncode == 0
    assert "no manifest and no note that a machine-learning model made it" in done.stderr
    assert read_marks(workspace / "result.mp4").exit_code == 3
    assert not (workspace.parent / "settings").exists()


def test_manifests_of_inputs_are_kept_inside(workspace):
    assert make_result(workspace, "first.mp4").returncode == 0
    first = read_manifest(workspace / "first.mp4")["active_manifest"]
    done = clips.call_main("videoed", "cut-video", "--input-file", workspace / "first.mp4", "--yes")
    assert done.returncode == 0 and "it is kept inside a new one" in done.stdout
    cut = read_manifest(workspace / "first_cut.mp4")
    assert cut["validation_state"] == "Valid" and first in cut["manifests"]
    actions = assertions_of(cut)[1]["c2pa.actions.v2"]["actions"]
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.trimmed"]
    assert SOURCE_TYPE not in json.dumps(actions)
    done = clips.call_main(
        "videoed", "video-from-sequence", "--input-dir", workspace / "data_dst" / "merged", "--output-file",
        workspace / "second.mp4", "--reference-file", workspace / "first_cut.mp4", "--lossless",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    second = read_manifest(workspace / "second.mp4")
    assert second["validation_state"] == "Valid" and len(second["manifests"]) == 3
    assert read_marks(workspace / "second.mp4").parent_has_manifest


def test_a_manifest_beside_the_reference_is_kept_too(workspace, tmp_path):
    assert make_result(workspace, "first.avi").returncode == 0
    certificate = local_certificate()
    with marked(tmp_path / "out.mp4", certificate, Story(workspace / "first.avi")) as target:
        target.write_bytes(clips.make_clip(tmp_path / "plain.mp4", 3).read_bytes())
    store = read_manifest(tmp_path / "out.mp4")
    assert store["validation_state"] == "Valid" and len(store["manifests"]) == 2
    assert read_marks(tmp_path / "out.mp4").parent_has_manifest


def test_the_local_certificate_is_made_once_and_private(tmp_path):
    one = local_certificate()
    file = tmp_path / "settings" / "local_certificate.pem"
    assert local_certificate() == one
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("rubbish")
    with pytest.raises(FormatError, match="damaged; delete it"):
        local_certificate()


def make_own_certificate(folder, key):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root = ec.generate_private_key(ec.SECP384R1())
    chain = [
        _sign("Studio", key.public_key(), "Studio root", root, authority=False),
        _sign("Studio root", root.public_key(), "Studio root", root, authority=True),
    ]
    form = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(b"".join(certificate.public_bytes(form) for certificate in chain))
    kind = (
        serialization.PrivateFormat.TraditionalOpenSSL if hasattr(key, "curve") else serialization.PrivateFormat.PKCS8
    )
    (folder / "key.pem").write_bytes(key.private_bytes(form, kind, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa"])
def test_the_users_own_certificate_signs(workspace, kind):
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    make = {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }
    certificate, key = make_own_certificate(workspace, make[kind]())
    own = load_certificate(certificate, key)
    with marked(workspace / "out.mp4", own, Story(None)) as target:
        target.write_bytes((workspace / "data_dst.mp4").read_bytes())
    store = read_manifest(workspace / "out.mp4")
    manifest, assertions = assertions_of(store)
    assert store["validation_state"] == "Valid"
    assert manifest["signature_info"]["common_name"] == "Studio"
    actions = assertions["c2pa.actions.v2"]["actions"]
    assert [action["action"] for action in actions] == ["c2pa.created"]
    assert actions[0]["digitalSourceType"] == SOURCE_TYPE


def test_certificates_that_cannot_be_used_are_explained_before_the_encoding(workspace):
    from cryptography.hazmat.primitives.asymmetric import ec

    certificate, key = make_own_certificate(workspace, ec.generate_private_key(ec.SECP256R1()))
    (workspace / "rubbish.pem").write_text("no pem")
    other = workspace / "other"
    other.mkdir()
    _, foreign = make_own_certificate(other, ec.generate_private_key(ec.SECP256R1()))
    for chosen, secret, words in (
        (workspace / "none.pem", key, "none.pem: cannot be read"),
        (workspace / "rubbish.pem", key, "rubbish.pem: holds no PEM certificate"),
        (certificate, workspace / "rubbish.pem", "rubbish.pem: holds no PEM private key"),
        (certificate, foreign, "does not belong to the first certificate"),
    ):
        with pytest.raises(FormatError, match=words):
            load_certificate(chosen, secret)
    done = make_result(workspace, "result.mp4", "--c2pa-cert", certificate, "--c2pa-key", foreign)
    assert done.returncode == 1 and "does not belong" in done.stderr
    assert not (workspace / "result.mp4").exists() and "Writing" not in done.stdout


def test_an_expired_certificate_is_refused_and_a_local_one_renewed(tmp_path, monkeypatch):
    from core.provenance import certificate

    class Past(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) - timedelta(days=4000)

    monkeypatch.setattr(certificate, "datetime", Past)
    old = certificate._make_local()
    monkeypatch.undo()
    monkeypatch.setenv("DFL_CONFIG_DIR", str(tmp_path / "settings"))
    (tmp_path / "old.pem").write_bytes(old)
    with pytest.raises(FormatError, match="expired on 20"):
        load_certificate(tmp_path / "old.pem", tmp_path / "old.pem")
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "local_certificate.pem").write_bytes(old)
    assert local_certificate().chain not in old
    assert datetime.now(timezone.utc).year >= 2025


def test_a_video_that_cannot_be_signed_is_kept_under_another_name(tmp_path):
    certificate = local_certificate()
    with (
        pytest.raises(UserError, match=r"could not be signed .*kept without a manifest as .*out_unmarked\.mp4"),
        marked(tmp_path / "out.mp4", certificate, Story(None)) as target,
    ):
        target.write_bytes(b"this is no mp4 file")
    assert (tmp_path / "out_unmarked.mp4").read_bytes().startswith(b"this is no mp4")
    assert not (tmp_path / "out.mp4").exists()
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["out_unmarked.mp4"]


def test_the_model_comes_from_the_record_or_the_flag_or_is_said_to_be_unknown(workspace):
    record = read_record(workspace / "data_dst" / "merged")
    assert record["model"]["name"] == "ada" and set(record["model"]["files"]) == {
        "ada_SAEHD_data.dat", "ada_SAEHD_encoder.npy",
    }  # fmt: skip
    (workspace / "data_dst" / "merged" / "provenance.json").unlink()
    assert "no record of the model" in make_result(workspace, "result.mp4").stdout
    facts = next(d for label, d in assertions_of(read_manifest(workspace / "result.mp4"))[1].items() if "swap" in label)
    assert facts["model"] == "not on record" and len(facts["consent"]) == 1
    assert make_result(workspace, "result.mp4", "--model-dir", workspace / "model").returncode == 0
    facts = next(d for label, d in assertions_of(read_manifest(workspace / "result.mp4"))[1].items() if "swap" in label)
    assert facts["model"]["name"] == "ada"
    with pytest.raises(NothingToDo, match="no saved model"):
        hash_model(workspace / "data_src")
    (workspace / "data_dst" / "merged" / "provenance.json").write_text("{}")
    with pytest.raises(FormatError, match=r"provenance\.json: is damaged"):
        read_record(workspace / "data_dst" / "merged")


def test_consent_is_found_beside_or_above_a_faceset(tmp_path, capsys):
    aligned = tmp_path / "data_src" / "aligned"
    aligned.mkdir(parents=True)
    assert report_consent(aligned) is None
    assert capsys.readouterr().out == "data_src: no consent.json, so it is not on record whether this person agreed.\n"
    path = tmp_path / "data_src" / "consent.json"
    path.write_text(json.dumps(CONSENT), encoding="utf-8-sig")
    consent = report_consent(aligned)
    assert consent.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (consent.subject, consent.date) == ("Ada L.", "2026-03-01")
    assert "consent of Ada L. (signed agreement; short film; 2026-03-01)" in capsys.readouterr().out
    (aligned / "consent.json").write_text(json.dumps({**CONSENT, "subject": "Bob"}))
    assert read_consent(aligned).subject == "Bob"


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "no valid JSON"), ("[]", "lacks subject, basis, scope, date"), ('{"subject": "x"}', "lacks basis"),
     ("[" * 100000, "no valid JSON")],
)  # fmt: skip
def test_a_broken_consent_record_is_a_warning_not_a_crash(tmp_path, capsys, text, words):
    (tmp_path / "consent.json").write_text(text)
    with pytest.raises(FormatError, match=words):
        read_consent(tmp_path)
    assert report_consent(tmp_path) is None and consents_of([tmp_path]) == []
    assert capsys.readouterr().err.count(words) == 2
