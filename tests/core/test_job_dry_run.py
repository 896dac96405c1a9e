"""A dry run of a job tells what is missing, and its exit code says so."""

import numpy as np
import pytest

import main
from core.files.imageio import write_image


def dry_run(tmp_path, steps, capsys):
    job = tmp_path / "job.yaml"
    job.write_text(f"workspace: w\nsteps: {steps}\n")
    code = main.main(["run", str(job), "--dry-run"])
    return code, capsys.readouterr()


def pictures(folder):
    folder.mkdir(parents=True)
    write_image(folder / "00001.png", np.zeros((8, 8, 3), np.uint8))


def test_a_missing_video_is_named_and_the_code_is_not_0(tmp_path, capsys):
    code, told = dry_run(tmp_path, "[extract-video-src, extract-video-dst]", capsys)
    assert code == 1 and "Done." not in told.out and "Traceback" not in told.err
    assert "data_src.*: no file of that name" in told.err and "data_dst.*: no file of that name" in told.err
    assert "2 things are missing" in told.err


WHOLE = (
    "[extract-video-src, extract-video-dst, extract-src, extract-dst, sort-src, train-saehd, merge-saehd, video-mp4]"
)


def test_what_an_earlier_step_makes_is_not_missing(tmp_path, capsys):
    (tmp_path / "w").mkdir()
    for name in ("data_src.mp4", "data_dst.mp4"):
        (tmp_path / "w" / name).write_bytes(b"a video, as far as a dry run knows")
    code, told = dry_run(tmp_path, WHOLE, capsys)
    assert code == 0 and "Done." in told.out, told.err


@pytest.mark.parametrize(
    "steps, made, named",
    [
        ("[sort-src]", (), "data_src/aligned: no such folder"),
        ("[sort-src]", ("data_src/aligned",), "data_src/aligned: holds no pictures"),
        ("[train-saehd]", (), "data_dst/aligned: no such folder"),
        ("[merge-saehd]", ("data_dst", "data_dst/aligned", "model"), "*_SAEHD_data.dat: there is no such model"),
        ("[merge-amp: {force-model-name: film}]", ("model",), "film_AMP_data.dat: there is no such model"),
        ("[train-quick96, merge-saehd]", ("model",), "*_SAEHD_data.dat: there is no such model"),
        ("[export-saehd]", ("model",), "*_SAEHD_data.dat: there is no such model"),
        ("[xseg-apply-dst]", ("model",), "XSeg_256.npy: there is no such model"),
        ("[video-mp4]", (), "data_dst/merged_mask: no such folder"),
        ("[denoise-dst]", ("data_dst",), "data_dst: holds no pictures"),
        ("[train-saehd: {options: none.yaml}]", (), "none.yaml: no such file"),
        ("[command: [sort, --input-dir, '{W}/nowhere', --by, blur]]", (), "nowhere: no such folder"),
        ("[command: [videoed, cut-video, --input-file, '{W}/x.mp4']]", (), "x.mp4: no such file"),
        ("[merge-saehd: {config: lost.yaml}]", (), "lost.yaml: no such file"),
    ],
)
def test_every_kind_of_input_is_looked_for(tmp_path, capsys, steps, made, named):
    for folder in made:
        (tmp_path / "w" / folder).mkdir(parents=True, exist_ok=True)
    code, told = dry_run(tmp_path, steps, capsys)
    assert code == 1 and named in told.err.replace("\\", "/"), told.err


def test_everything_there_is_fine(tmp_path, capsys):
    pictures(tmp_path / "w" / "data_dst" / "aligned")
    pictures(tmp_path / "w" / "data_src" / "aligned")
    write_image(tmp_path / "w" / "data_dst" / "1.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "w" / "model").mkdir()
    (tmp_path / "w" / "model" / "film_SAEHD_data.dat").write_bytes(b"")
    code, told = dry_run(tmp_path, "[sort-dst, train-saehd, merge-saehd: {force-model-name: film}]", capsys)
    assert code == 0, told.err


@pytest.mark.parametrize("moment", ["the command has ended", "its end is noted"])
def test_denoising_in_a_job_that_is_killed_right_after_it_happens_once(tmp_path, monkeypatch, moment):
    from core.files.imageio import read_image
    from mainscripts import run as job_runner
    from mainscripts.jobs.job import JobState

    folder = tmp_path / "w" / "data_dst"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(1)
    for number in range(3):
        write_image(folder / f"{number}.png", noise.integers(0, 255, (64, 64, 3), np.uint8))
    job = tmp_path / "job.yaml"
    job.write_text("workspace: w\nsteps: [denoise-dst: {factor: 7}]\n")
    options = main.build_parser().parse_args(["run", str(job)])
    method = {"the command has ended": "note_command", "its end is noted": "record"}[moment]

    def die(*_):
        raise KeyboardInterrupt

    before = [read_image(path) for path in sorted(folder.glob("*.png"))]
    with monkeypatch.context() as killed:
        killed.setattr(JobState, method, die)
        with pytest.raises(KeyboardInterrupt):
            job_runner.run(options)
    once = [read_image(path) for path in sorted(folder.glob("*.png"))]
    assert not any(np.array_equal(*pair) for pair in zip(before, once))
    assert job_runner.run(options) == 0
    assert all(np.array_equal(*pair) for pair in zip(once, [read_image(p) for p in sorted(folder.glob("*.png"))]))
    assert sorted(path.name for path in folder.iterdir()) == ["0.png", "1.png", "2.png"]
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == [".dfl_job_state.json", "data_dst"]
    job.write_text("workspace: w\nsteps: [denoise-dst: {factor: 9}]\n")
    assert job_runner.run(options) == 0
    again = [read_image(path) for path in sorted(folder.glob("*.png"))]
    assert not any(np.array_equal(*pair) for pair in zip(once, again)), "another factor is another step"


def test_a_run_that_was_killed_after_its_last_command_does_not_repeat_it(tmp_path):
    from mainscripts.jobs.job import JobState, load_jobs

    pictures(tmp_path / "w" / "data_dst")
    job_file = tmp_path / "job.yaml"
    job_file.write_text("workspace: w\nsteps: [denoise-dst: {factor: 7}]\n")
    (job,) = load_jobs(job_file)
    state = JobState.load(job.workspace)
    assert state.begin(job, 0) is None
    write_image(tmp_path / "w" / "data_dst" / "00001.png", np.ones((8, 8, 3), np.uint8))
    state.note_command(job, 0)
    assert JobState.load(job.workspace).begin(job, 0) == 1
