"""The ``facesettool report`` step: a page with pictures about the facesets of a project."""

import argparse
import os
from pathlib import Path

from core.console import interact
from core.console.counted import counted
from core.errors import UsageError
from core.files.paths import absolute_path


def add_report_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``report`` to the tools of ``facesettool``."""
    parser = subparsers.add_parser(
        "report",
        help="write a page about source and destination: poses, gaps, light, sharpness, wrong faces",
        description="Look at one or two facesets and write an HTML page about them. The facesets are not changed.",
    )
    parser.add_argument("--src-dir", type=absolute_path, metavar="DIR", help="source faceset")
    parser.add_argument("--dst-dir", type=absolute_path, metavar="DIR", help="destination faceset")
    parser.add_argument("--output", type=absolute_path, metavar="FILE", help="the page; faceset_report.html by default")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the report."""
    folders = [folder for folder in (options.src_dir, options.dst_dir) if folder is not None]
    if not folders:
        raise UsageError("Give --src-dir, --dst-dir, or both.")
    from samplelib.report.faceset_report import find_gaps, write_report

    output = options.output or Path(os.path.commonpath([folder.parent for folder in folders])) / "faceset_report.html"
    surveys = write_report(output, options.src_dir, options.dst_dir)
    for side, survey in surveys.items():
        interact.info(f"{side}: {counted(len(survey.faces), 'face')}, {len(survey.suspects)} suspected wrong")
    for gap in find_gaps(surveys):
        interact.info(gap)
    interact.info(f"Report: {output}")
    if options.open:
        import webbrowser

        webbrowser.open(output.as_uri())
