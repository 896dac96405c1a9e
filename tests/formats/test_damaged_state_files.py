"""Whatever lies in the place of a state or journal file, nothing breaks, and a file of the user's work is never passed over."""

import json

import pytest
from hostile_json import HOSTILE

from core.errors import FormatError
from core.locks.lock_file import LockFile
from mainscripts.jobs.job import STATE_NAME, Job, JobState, JobStep
from merger import journal as merge_journal
from merger.interactive.session import read_session, write_session
from merger.interactive.state import FrameState
from merger.merge_record import RECORD_NAME, read_record
from merger.settings.config import MergeConfig
from models.saved import transaction
from samplelib.extraction import journal as extraction_journal
from samplelib.faces.consent import read_consent
from samplelib.faces.rename import JOURNAL_NAME as RENAMING
from samplelib.faces.rename import finish_renaming
from xseglib.apply import ApplyJournal
from xseglib.queue import read_queue

OF_THE_WRONG_FORM = {
    "numbers for names": b'{"finished": {"a": 5}, "left": {}, "hashes": {}, "files": [1], "faces": [1], "version": 1, "pid": "x", '
    b'"phase": 3, "prefix": 1, "renames": [[1, 2]], "trash": [], "frames": [[1, 2]], "settings": [3], "iteration": {}, '
    b'"current": 1, "options": 3, "unreadable_images": [], "model": {"sha256": 1}, "consent": [], "source": 3}',
    "nothing in it": b"{}",
    "null for all": b'{"finished": null, "left": null, "hashes": null, "files": null, "faces": null, "version": null, '
    b'"pid": null, "renames": null, "trash": null, "frames": null, "settings": null, "model": null, "consent": null}',
}
CONTENTS = {**HOSTILE, **OF_THE_WRONG_FORM}
hostile = pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())


@hostile
def test_a_damaged_job_state_stops_the_job_and_stays(tmp_path, content):
    (tmp_path / STATE_NAME).write_bytes(content)
    with pytest.raises(FormatError, match="is damaged; delete it to run all steps again") as failure:
        JobState.load(tmp_path)
    assert "\n" not in str(failure.value) and (tmp_path / STATE_NAME).read_bytes() == content


def test_a_job_state_with_senseless_numbers_runs_the_step_again(tmp_path):
    (tmp_path / "in").write_bytes(b"x")
    job = Job("a", tmp_path, (JobStep("s", (("sort",), ("sort",)), (str(tmp_path / "in"),), (str(tmp_path / "in"),)),))
    state = JobState(tmp_path / STATE_NAME)
    state.begin(job, 0)
    state.begun["a / 1 s"]["done"] = 10**30
    for entry in ([], [1], ["a", "b", "c", "d"], [1, state.hashes[str(tmp_path / "in")][1]]):
        state.hashes[str(tmp_path / "in")] = entry
        state.save()
        again = JobState.load(tmp_path)
        assert again.is_up_to_date(job, 0, set()) is False
        assert again.begin(job, 0) == 2  # at most all of its commands are done


@hostile
def test_a_damaged_merger_session_is_refused_by_name(tmp_path, content):
    (tmp_path / "session.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"session\.json: "):
        read_session(tmp_path / "session.json", MergeConfig())
    assert (tmp_path / "session.json").read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [{"frames": [["a", -1]]}, {"frames": [["a", 1]]}, {"frames": [["a", True]]}, {"frames": [["a"]]}, {"iteration": 1.5},
     {"settings": [{"mode": "overlay", "blur_mask_modifier": "x"}]}, {"settings": [{"mask_mode": [1]}]}, {"version": True},
     {"version": 10**30}, {"current": ["a"]}],
)  # fmt: skip
def test_a_session_with_one_wrong_value_is_refused(tmp_path, change):
    path = tmp_path / "session.json"
    write_session(path, [FrameState("a", MergeConfig())], 0, 3)
    assert read_session(path, MergeConfig()).names == ("a",)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FormatError, match=r"session\.json: "):
        read_session(path, MergeConfig())


def test_frames_with_names_that_are_no_utf_8_have_a_session_and_a_journal(tmp_path):
    path, name = tmp_path / "session.json", "\udcffframe"
    write_session(path, [FrameState(f"{name}.png", MergeConfig())], 0, 3)
    assert read_session(path, MergeConfig()).names == (f"{name}.png",)
    journal = merge_journal.Journal(tmp_path, tmp_path)
    journal.add(name, "key")
    assert name in merge_journal.Journal(tmp_path, tmp_path)._entries


@hostile
def test_a_damaged_merge_journal_forgets_only_what_is_damaged(tmp_path, content, capsys):
    path = tmp_path / merge_journal.JOURNAL_NAME
    path.write_bytes(content)
    assert merge_journal.Journal(tmp_path, tmp_path)._entries == {}
    if content:
        assert "all frames are merged again" in capsys.readouterr().err
    path.unlink()
    merge_journal.Journal(tmp_path, tmp_path).begin("a")
    path.write_bytes(path.read_bytes() + content.replace(b"\n", b"") + b"\n")
    journal = merge_journal.Journal(tmp_path, tmp_path)
    assert list(journal._entries) == ["a"]
    journal.begin("b")
    assert list(merge_journal.Journal(tmp_path, tmp_path)._entries) == ["a", "b"]


@hostile
def test_a_damaged_report_of_an_extraction_is_no_record(tmp_path, content, capsys):
    (tmp_path / extraction_journal.REPORT_NAME).write_bytes(content)
    state = extraction_journal.read_state(tmp_path)
    assert not state.known and not state.results
    assert "going by the face pictures instead" in capsys.readouterr().err


@hostile
def test_a_damaged_line_of_an_extraction_is_done_again(tmp_path, content):
    good = b'{"options": {"image_size": 256}}\n{"frame": "1.png", "faces": ["1_0.jpg"]}\n'
    path = tmp_path / extraction_journal.JOURNAL_NAME
    path.write_bytes(good + content.replace(b"\n", b"") + b"\n" + b'{"frame": "2.png", "faces": []}\n')
    state = extraction_journal.read_state(tmp_path)
    assert state.interrupted and state.options == {"image_size": 256} and list(state.results) == ["1.png", "2.png"]


@pytest.mark.parametrize("name", ["../../x.jpg", "/etc/passwd", "", "..", "a\0b"])
def test_a_record_never_names_files_elsewhere(tmp_path, name):
    report = {"options": {}, "unreadable_images": {}, "frames": {"1.png": [name]}}
    (tmp_path / extraction_journal.REPORT_NAME).write_text(json.dumps(report))
    line = json.dumps({"frame": "2.png", "faces": [name]})
    (tmp_path / extraction_journal.JOURNAL_NAME).write_text(line + "\n")
    assert not extraction_journal.read_state(tmp_path).results


@hostile
def test_a_damaged_record_of_a_renaming_is_kept_for_the_user(tmp_path, content):
    (tmp_path / RENAMING).write_bytes(content)
    with pytest.raises(FormatError, match="is no usable record of a renaming .*; look at it, then delete it"):
        finish_renaming(tmp_path)
    assert (tmp_path / RENAMING).read_bytes() == content


@hostile
def test_a_damaged_lock_file_tells_no_owner(tmp_path, content):
    (tmp_path / "lock").write_bytes(content)
    assert all(len(text) < 100 for text in LockFile(tmp_path / "lock").owner())


@hostile
def test_a_damaged_commit_is_named_and_nothing_is_touched(tmp_path, content):
    journal = tmp_path / f"m_SAEHD{transaction.JOURNAL_SUFFIX}"
    journal.write_bytes(content)
    (tmp_path / "m_SAEHD_data.dat.tmp").write_bytes(b"new")
    with pytest.raises(FormatError, match="commit.json: is damaged"):
        transaction.recover(tmp_path, "m_SAEHD")
    assert (tmp_path / "m_SAEHD_data.dat.tmp").read_bytes() == b"new"


@hostile
def test_a_damaged_record_of_masks_is_begun_anew(tmp_path, content, capsys):
    path = tmp_path / ApplyJournal.FILE_NAME
    path.write_bytes(content)
    assert ApplyJournal(tmp_path, "key")._done == {}
    assert "is damaged; all faces are done again" in capsys.readouterr().err
    path.write_bytes(b'{"source": "key"}\n' + content.replace(b"\n", b"") + b'\n{"name": "a.jpg", "stamp": [1, 2]}\n')
    assert ApplyJournal(tmp_path, "key")._done == {"a.jpg": [1, 2]}


@hostile
def test_a_damaged_queue_is_named(tmp_path, content):
    (tmp_path / "queue.json").write_bytes(content)
    with pytest.raises(FormatError, match="is not a queue of faces"):
        read_queue(tmp_path, tmp_path / "queue.json")


@hostile
def test_damaged_records_of_provenance_and_consent_are_named(tmp_path, content):
    (tmp_path / RECORD_NAME).write_bytes(content)
    with pytest.raises(FormatError, match=r"provenance\.json: is damaged"):
        read_record(tmp_path)
    (tmp_path / "consent.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"consent\.json: "):
        read_consent(tmp_path)


@hostile
def test_damaged_settings_of_the_mask_editor_are_forgotten(tmp_path, monkeypatch, content):
    pytest.importorskip("PyQt5")
    from xseglib.editor import settings

    (tmp_path / "mask_editor.json").write_bytes(content)
    monkeypatch.setattr(settings, "settings_path", lambda: tmp_path / "mask_editor.json")
    assert settings.load_settings() == settings.Settings()
