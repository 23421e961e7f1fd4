"""The report of an evaluation: one self-contained HTML page, and the same figures as JSON."""

from shared.evaluation.report.page import ReportSources, write_report

__all__ = ["ReportSources", "write_report"]
