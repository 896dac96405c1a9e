"""Small synthetic videos whose frames carry their own number, for the tests of this folder."""

import contextlib
import io
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

from core.video.ffmpeg import every_frame_once, ffmpeg_program

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 128, 64
_BITS = 8


def numbered_frame(number, width=WIDTH, height=HEIGHT):
    """(height, width, 3) uint8 BGR: the number as eight black or white bars above, a moving colour ramp below."""
    frame = np.zeros((height, width, 3), np.uint8)
    bar = width // _BITS
    for bit in range(_BITS):
        frame[: height // 2, bit * bar : (bit + 1) * bar] = 235 if number >> bit & 1 else 16
    ramp = (np.arange(width) * 2 + number * 5) % 200 + 28
    frame[height // 2 :, :, 0] = ramp
    frame[height // 2 :, :, 1] = 128
    frame[height // 2 :, :, 2] = ramp[::-1]
    return frame


def read_number(frame):
    """The number that :func:`numbered_frame` drew."""
    height, width = frame.shape[:2]
    bar = width // _BITS
    means = [frame[4 : height // 2 - 4, bit * bar + 3 : (bit + 1) * bar - 3].mean() for bit in range(_BITS)]
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 125)


def ffmpeg(*arguments, data=None):
    """Run ffmpeg quietly and return what it wrote to standard output."""
    command = [ffmpeg_program(), "-v", "error", "-y", *(str(argument) for argument in arguments)]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def make_clip(path, count=30, fps="25", sound=None, size=(WIDTH, HEIGHT), options=("-pix_fmt", "yuv420p")):
    """Encode ``count`` numbered frames (H.264 unless ``options`` say otherwise), with the WAV file ``sound``."""
    frames = b"".join(numbered_frame(number, *size).tobytes() for number in range(count))
    source = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}", "-framerate", fps, "-i", "pipe:"]
    audio = ["-i", sound, "-c:a", "aac"] if sound else []
    ffmpeg(*source, *audio, *options, path, data=frames)
    return path


def make_variable_clip(path, times, sound=None):
    """Like :func:`make_clip`, with frame ``i`` shown at ``times[i]`` milliseconds (H.264 in mp4)."""
    from core.video.writing.timed_frames import TimedFrames

    stream = TimedFrames(WIDTH, HEIGHT)
    parts = [stream.header()]
    for number, time in enumerate(times):
        from fractions import Fraction

        parts += [bytes(part) for part in stream.frame(numbered_frame(number).data, Fraction(time, 1000))]
    audio = ["-i", sound, "-c:a", "aac"] if sound else []
    options = [*every_frame_once(), "-enc_time_base", "1:1000"]
    ffmpeg("-f", "matroska", "-i", "pipe:", *audio, *options, "-pix_fmt", "yuv420p", path, data=b"".join(parts))
    return path


def make_clicks(path, times, seconds, rate=48000):
    """A WAV file that is silent but for a 5 ms burst at each of ``times`` (seconds)."""
    samples = np.zeros(int(seconds * rate), np.int16)
    burst = (np.sin(np.arange(240) * 2 * np.pi * 2000 / rate) * 28000).astype(np.int16)
    for time in times:
        start = round(time * rate)
        samples[start : start + len(burst)] = burst[: len(samples) - start]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def find_clicks(path, rate=48000):
    """Times in seconds, on the clock of the file, at which bursts begin in its first audio track."""
    filters = "aresample=async=1:first_pts=0"
    data = ffmpeg("-i", path, "-map", "0:a:0", "-af", filters, "-ac", 1, "-ar", rate, "-f", "s16le", "pipe:1")
    loud = np.flatnonzero(np.abs(np.frombuffer(data, np.int16).astype(int)) > 6000)
    starts = loud[np.diff(loud, prepend=-rate) > rate // 20]
    return starts / rate


def find_clicks_on_clock(path):
    """Times in seconds, on the file's own clock, at which bursts begin in its first audio track."""
    import av

    starts, loud_until, end = [], -1.0, None
    with av.open(str(path)) as container:
        track = container.streams.audio[0]
        mixer = av.AudioResampler(format="flt", layout="mono", rate=track.sample_rate)
        for block in container.decode(track):
            time = float(block.pts * block.time_base) if block.pts is not None else end or 0.0
            end = time + block.samples / block.sample_rate
            block.pts = None
            samples = np.concatenate([mixed.to_ndarray()[0] for mixed in mixer.resample(block)])
            for offset in np.flatnonzero(np.abs(samples) > 0.18) / block.sample_rate:
                if time + offset - loud_until > 0.05:
                    starts.append(time + offset)
                loud_until = time + offset
    return starts


def shown_by_ffmpeg(path):
    """How many pictures of a video ffmpeg itself shows, with those that are empty repetitions in the file."""
    shown = ffmpeg("-i", path, "-map", "0:V:0", *every_frame_once(), "-f", "framecrc", "pipe:1").decode()
    return sum(1 for line in shown.splitlines() if line and not line.startswith("#"))


def write_matrix(source, target, turn):
    """Copy an mp4 file with another display matrix in its track header, as phones write it."""
    data = bytearray(source.read_bytes())
    start = data.index(b"tkhd") + 4
    matrix = start + 40 if data[start] == 0 else start + 52
    a, b, c, d = (value * 0x10000 for value in turn)
    values = [a, b, 0, c, d, 0]
    data[matrix : matrix + 24] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    target.write_bytes(data)


def run_main(*arguments, input_text="", folder=None):
    """Run ``main.py`` as a user would, without a terminal; returns the finished process."""
    command = [sys.executable, str(ROOT / "main.py"), *(str(argument) for argument in arguments)]
    return subprocess.run(command, input=input_text, capture_output=True, text=True, cwd=folder, timeout=120)


def call_main(*arguments, input_text=""):
    """As :func:`run_main`, but inside this process, which saves the time to start another."""
    import main
    from core.console import interact

    output, errors, before = io.StringIO(), io.StringIO(), sys.stdin
    interact._state["pending"] = b""
    with tempfile.TemporaryFile("w+") as answers:
        answers.write(input_text)
        answers.seek(0)
        sys.stdin = answers
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                code = main.main([str(argument) for argument in arguments])
        except SystemExit as refused:
            code = refused.code
        finally:
            sys.stdin = before
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())
