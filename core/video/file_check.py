"""What may be opened as a video: files that hold pictures themselves, not lists that make ffmpeg open other files."""

from pathlib import Path

from core.errors import FormatError

_HEAD_BYTES = 4096
_LISTS = {
    b"ffconcat": "an ffconcat list of other files",
    b"#extm3u": "a playlist (m3u8)",
    b"[playlist]": "a playlist (pls)",
    b"<asx": "a playlist (asx)",
    b"v=0": "a description of a network stream (sdp)",
    b"<mpd": "a playlist (dash)",
    b"<svg": "a drawing (svg)",
    b"<?xml": "an XML file",
    b";ffmetadata": "a list of metadata",
}
_CONTROL = frozenset(range(32)) - set(b"\t\n\r\f\x1a\x1b")
_RAW_PICTURES = b"YUV4MPEG2 "

_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,mjpeg,mjpeg_2000,mpjpeg,h261,h263,h264,"
    "hevc,vvc,evc,av1,obu,ivf,vc1,vc1test,dirac,dnxhd,cavsvideo,avs,avs2,avs3,flv,live_flv,asf,asf_o,ogg,nut,mxf,mxf_opatom,"
    "gxf,lxf,dv,rm,ivr,rl2,wtv,nsv,nuv,pva,ty,vob,swf,yuv4mpegpipe,gif,apng,webp_anim,jpegxl_anim,avif,bink,smk,roq,flic,"
    "film_cpk,4xm,ipmovie,ea,cine,r3d,mlv,mv,xmv,vivo,psxstr,idcin,wc3movie,anm,cdxl,iff,"
    "wav,w64,mp3,flac,aac,ac3,eac3,aiff,au,amr,caf,wv,tta,"
    "png_pipe,jpeg_pipe,bmp_pipe,tiff_pipe,webp_pipe,gif_pipe,j2k_pipe,dpx_pipe,exr_pipe,hdr_pipe"
)

MEDIA_OPTIONS = {"protocol_whitelist": "file,pipe", "format_whitelist": _DEMUXERS}
"""Options of libavformat for a file of the user: no network, no lists of files."""


def refuse_text(path: Path) -> None:
    """Raise FormatError when a file is a text: a list or a playlist would make ffmpeg open the files that it names.

    Raises
    ------
    FormatError
        For a text file, and when the file cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, kind in _LISTS.items():
        if start.startswith(mark):
            raise FormatError(path, f"is no readable video ({kind}). Give the video itself")
    if head and _is_text(head) and not head.startswith(_RAW_PICTURES):
        raise FormatError(path, "is no readable video (a text file). Give the video itself")


def _is_text(head):
    if not _CONTROL.isdisjoint(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == _HEAD_BYTES and error.start > len(head) - 4  # a letter that the end of the block cuts
    return True
