#!/usr/bin/env bash
# Swaps a face from beginning to end on two sample clips, with the same commands as the numbered scripts.
#   DFL_DEMO_WORKSPACE    where (default: workspace_demo beside main.py); put your own data_src.mp4 and data_dst.mp4
#                         there first to use them instead of the sample clips. The demo stops where there are frames,
#                         faces or models that it has not made
#   DFL_DEMO_ITERATIONS   training iterations (default 1000)
set -euo pipefail
here=$(CDPATH="" cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
export DFL_WORKSPACE=${DFL_DEMO_WORKSPACE:-$here/../workspace_demo}
mkdir -p -- "$DFL_WORKSPACE"
DFL_WORKSPACE=$(CDPATH="" cd -- "$DFL_WORKSPACE" && pwd)
. "$here/env.sh"
iterations=${DFL_DEMO_ITERATIONS:-1000}
W=$DFL_WORKSPACE
started=$SECONDS

step() { printf '\n=== %s\n' "$1"; }

# A fresh start each time, where only a demo has been before.
"$DFL_VENV/bin/python" "$here/demo_workspace.py" begin "$W"

step "Sample clips"
"$DFL_VENV/bin/python" "$here/make_demo_clips.py" "$W"
ls "$W"/data_*.*

step "2) extract images from video data_src"
bash "$here/2_extract_images_from_video_data_src.sh" --fps 0 --output-ext png

step "3) extract images from video data_dst FULL FPS"
bash "$here/3_extract_images_from_video_data_dst_FULL_FPS.sh" --output-ext png

step "4) data_src faceset extract"
bash "$here/4_data_src_faceset_extract.sh" --face-type whole_face --max-faces-from-image 1 --image-size 256 \
    --jpeg-quality 90 --no-output-debug

step "5) data_dst faceset extract"
bash "$here/5_data_dst_faceset_extract.sh" --face-type whole_face --image-size 256 --jpeg-quality 90

step "6) train SAEHD, $iterations iterations at a small size"
echo "For a result in minutes on a processor: 64 px, few dimensions, no random warp, four times the usual learning rate. A film is"
echo "trained at 128 px and more, with random warp, for 100,000 iterations and more on a GPU: this model knows only these two clips."
bash "$here/6_train_SAEHD_no_preview.sh" --force-model-name demo --set resolution=64 --set face_type=f \
    --set archi=df-ud --set ae_dims=64 --set e_dims=32 --set d_dims=32 --set d_mask_dims=16 --set batch_size=4 \
    --set random_dst_flip=n --set random_warp=n --set learning_rate=2e-4 --set target_iter="$iterations"

step "7) merge SAEHD"
bash "$here/7_merge_SAEHD.sh" --force-model-name demo --non-interactive --mode overlay --mask-mode dst \
    --erode-mask-modifier 5 --blur-mask-modifier 30 --color-transfer-mode idt

step "8) merged to mp4"
bash "$here/8_merged_to_mp4.sh" --bitrate 16

step "Result"
"$DFL_VENV/bin/python" "$here/demo_report.py" "$W" --model demo_SAEHD
"$DFL_VENV/bin/python" "$here/demo_workspace.py" end "$W"
echo "Time: $((SECONDS - started)) s"
