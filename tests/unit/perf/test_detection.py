"""A report of no records leaves what was kept as it is."""

from __future__ import annotations

import sys

import detection
import pytest


def test_without_records_what_is_kept_stays(tmp_path, monkeypatch):
    kept = detection.RESULTS / detection.KEPT["alone"]
    before, page = kept.read_bytes(), detection.PAGE.read_bytes()
    monkeypatch.setattr(
        sys, "argv", ["detection.py", "alone", "--report", "--work", str(tmp_path / "none")]
    )
    with pytest.raises(SystemExit, match="no records under"):
        detection.main()
    assert (kept.read_bytes(), detection.PAGE.read_bytes()) == (before, page)
