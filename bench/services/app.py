"""Thumbnails by Pillow, for any WSGI server: `gunicorn app:app`."""
from io import BytesIO
from urllib.parse import parse_qsl

from PIL import Image


def app(environ, start_response):
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    content = thumbnail(body, int(query["side"])) if body else b"ready"
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return [content]


def thumbnail(body, side):
    image = Image.open(BytesIO(body)).convert("RGB")
    image = image.resize((side, side), Image.Resampling.LANCZOS)
    out = BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()
