"""Run directory → report.html: one offline file that a manager and an analyst can read.

Input: the path of a run directory (design section 4). Output: report.html inside it. Promise:
no request, no script, no text of a prompt but masked template skeletons; every text from data is
escaped and its hidden characters shown; the same run gives the same bytes.

`facts` reads the run, `pictures` holds one picture a module, `sentence`, `chapter` and
`appendix` the words, `page` joins them through `templates/`.
"""

from stillwatch.report.page import render_report, write_report
from stillwatch.report.spreadsheet import csv_text
from stillwatch.report.visible import shorten, visible

__all__ = ["csv_text", "render_report", "shorten", "visible", "write_report"]
