# shellcheck shell=bash disable=SC1003
# The Linux side of `setup.bat --wsl`: runs one call of a Windows launcher in WSL, from the same folder.
#
# The launchers call  wsl.exe --exec bash -c "IFS=; set -f; . $DFL_ROOT/scripts/in_wsl.sh" WHAT ARGUMENTS...
# DFL_ROOT and the other folders come translated, by WSLENV. WHAT is "setup", or the path of main.py, which is not used.
# Arguments are as Windows has them: paths among them are translated here.
#   DFL_VENV_WSL   where the environment goes; default: below ~/.local/share, as Windows' disks are slow from here
unset IFS
set +f
set -euo pipefail

case $(uname -r) in
    *-Microsoft)
        echo "This Linux runs in WSL 1, which has no graphics card. In a console of Windows: wsl --set-version ${WSL_DISTRO_NAME:-NAME} 2" >&2
        exit 1
        ;;
esac

# Where Windows' disks are; "/mnt" unless /etc/wsl.conf says otherwise.
disks=$(wslpath -u 'C:\' 2>/dev/null || echo /mnt/c/)
disks=${disks%/}
disks=${disks%/*}

# C:\a\b, \\wsl.localhost\NAME\a and .\a\b as Linux has them; anything else stays as it is. The result is in $linux, as the
# output of a command would lose a line end.
to_linux() {
    local there
    linux=$1
    case $1 in
        [A-Za-z]:[\\/]* | [A-Za-z]:)
            linux=${1:2}
            there=${1:0:1}
            linux=$disks/${there,,}${linux//\\//}
            ;;
        '\\wsl.localhost\'* | '\\wsl$\'*)
            linux=${1#'\\'*'\'*'\'}
            linux=/${linux//\\//}
            ;;
        '\\'*)
            echo "$1: WSL does not reach the network by such a name. Connect it as a drive, and mount that in WSL." >&2
            exit 1
            ;;
        *\\*)
            # A path of this folder, where there is something of that name or a folder to write into; else a text.
            there=${1//\\//}
            if [ -e "$there" ] || [ -d "$(dirname -- "$there")" ]; then linux=$there; fi
            ;;
    esac
}

# --flag=PATH as well as PATH.
arguments=()
for argument in "$@"; do
    case $argument in
        --[a-z]*=?*)
            to_linux "${argument#*=}"
            arguments+=("${argument%%=*}=$linux")
            ;;
        *)
            to_linux "$argument"
            arguments+=("$linux")
            ;;
    esac
done

folder=$(printf %s "$DFL_ROOT" | cksum)
export DFL_VENV=${DFL_VENV_WSL:-${XDG_DATA_HOME:-$HOME/.local/share}/deepfacelab-tf2/${folder%% *}}
# A card that Windows lends to Linux: TensorFlow comes with CUDA, unless the user has chosen, now or before.
if [ -z "${DFL_CUDA:-}" ] && [ ! -e "$DFL_VENV/.cuda" ] && [ -e "${DFL_WSL_LIBRARIES:-/usr/lib/wsl/lib}/libcuda.so.1" ]; then
    export DFL_CUDA=1
fi

if [ "$0" = setup ]; then
    bash "$DFL_ROOT/scripts/setup.sh"
    exit
fi
. "$DFL_ROOT/scripts/env.sh"
dfl ${arguments[@]+"${arguments[@]}"}
