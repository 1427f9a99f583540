"""One picture a module: facts of a run → a `Figure` (sentence, drawings, table behind).

A picture that lacks its data is None, and the page says so in words; it is never drawn empty.
"""

from stillwatch.report.pictures.clock import clock_figure
from stillwatch.report.pictures.collateral import collateral_figure
from stillwatch.report.pictures.coverage import coverage_figure
from stillwatch.report.pictures.glance import GlanceRow, glance_rows
from stillwatch.report.pictures.graph import graph_figure
from stillwatch.report.pictures.nulls import null_drawing
from stillwatch.report.pictures.parts import methods_figure, models_figure, segments_figure
from stillwatch.report.pictures.prevalence import prevalence_figure
from stillwatch.report.pictures.raster import raster_figure
from stillwatch.report.pictures.value import assumptions_drawing, entered, ranges_drawing
from stillwatch.report.pictures.waterfall import Pair, pair_figure, waterfall_figure

__all__ = [
    "GlanceRow",
    "Pair",
    "assumptions_drawing",
    "clock_figure",
    "collateral_figure",
    "coverage_figure",
    "entered",
    "glance_rows",
    "graph_figure",
    "methods_figure",
    "models_figure",
    "null_drawing",
    "pair_figure",
    "prevalence_figure",
    "ranges_drawing",
    "raster_figure",
    "segments_figure",
    "waterfall_figure",
]
