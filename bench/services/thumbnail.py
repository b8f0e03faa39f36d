"""Thumbnails by Pillow: the image is the body, size and format are in the query."""
from io import BytesIO

from PIL import Image

from serve import serve


def thumbnail(query, body):
    image = Image.open(BytesIO(body)).convert("RGB")
    image = image.resize((int(query["width"]), int(query["height"])), Image.Resampling.LANCZOS)
    out = BytesIO()
    image.save(out, query["format"])
    return out.getvalue()


serve(thumbnail)
