"""Invoices as PDF by reportlab: the rows of the table are in the body."""
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

from serve import serve_json

styles = getSampleStyleSheet()


def invoice(wanted):
    out = BytesIO()
    rows = [[row["what"], row["n"], row["usd"]] for row in wanted["rows"]]
    story = [Paragraph(wanted["title"], styles["Title"]), Table([["what", "n", "usd"], *rows])]
    story += [Paragraph(note, styles["Normal"]) for note in wanted["notes"]]
    SimpleDocTemplate(out, pagesize=A4).build(story)
    return out.getvalue()


serve_json(invoice)
