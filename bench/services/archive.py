"""Archives by zipfile: names and texts of the files, and how hard to compress, are in the body."""
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from serve import serve_json


def archive(wanted):
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=wanted["level"]) as file:
        for one in wanted["files"]:
            file.writestr(one["name"], one["text"])
    return out.getvalue()


serve_json(archive)
