"""Services around well-known libraries, as WSGI (`app`) and ASGI (`asgi`).

Each says what it has cost by its own reading, in CPU seconds of its process.
"""

import io
import json
import os
import random
import resource
import sqlite3
import time
import urllib.parse
import zipfile

DATABASE = None


def burn(query):
    until = time.thread_time() + float(query.get("ms", 10)) / 1e3
    while time.thread_time() < until:
        sum(range(1000))
    return b""


def thumbnail(query):
    from PIL import Image

    side = int(query.get("side", 1500))
    image = Image.effect_noise((side, side), 60).convert("RGB")
    image.thumbnail((200, 200), Image.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def chart(query):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    values = random.Random(1)
    axes.plot([values.random() for _ in range(int(query.get("points", 2000)))])
    file = io.BytesIO()
    figure.savefig(file, format="png")
    pyplot.close(figure)
    return file.getvalue()


def archive(query):
    file = io.BytesIO()
    values = random.Random(1)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(int(query.get("files", 20))):
            archive.writestr(f"{n}.txt", values.randbytes(20_000).hex())
    return file.getvalue()


def rows(query):
    global DATABASE
    if DATABASE is None:
        DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
        DATABASE.execute("CREATE TABLE sales (region INTEGER, amount REAL)")
        values = random.Random(1)
        sales = ((values.randrange(50), values.random()) for _ in range(50_000))
        DATABASE.executemany("INSERT INTO sales VALUES (?, ?)", sales)
    sql = "SELECT region, SUM(amount * amount) FROM sales GROUP BY region ORDER BY 2"
    for _ in range(int(query.get("times", 1))):
        found = DATABASE.execute(sql).fetchall()
    return json.dumps(found).encode()


def page(query):
    import jinja2

    text = "{% for n in range(rows) %}<tr><td>{{ n }}</td><td>{{ n * n }}</td></tr>{% endfor %}"
    return jinja2.Template(text).render(rows=int(query.get("rows", 5000))).encode()


def document(query):
    from reportlab.pdfgen import canvas

    file = io.BytesIO()
    paper = canvas.Canvas(file)
    for n in range(int(query.get("pages", 20))):
        for line in range(40):
            paper.drawString(72, 780 - 18 * line, f"page {n}, line {line}")
        paper.showPage()
    paper.save()
    return file.getvalue()


ALL = [burn, thumbnail, chart, archive, rows, page, document]


def serve(path, text):
    """Status, headers and body of a request."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    query = {name: values[0] for name, values in urllib.parse.parse_qs(text).items()}
    does = {one.__name__: one for one in ALL}.get(path.strip("/"))
    if does is None:
        return "404 Not Found", [], b"none of " + b" ".join(one.__name__.encode() for one in ALL)
    try:
        body = does(query)
    except ImportError as missing:
        return "501 Not Implemented", [], str(missing).encode()
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    headers = [("X-Cpu-Seconds", f"{used:.6f}"), ("X-Pid", str(os.getpid()))]
    return "200 OK", headers, body


def app(environ, start_response):
    status, headers, body = serve(environ["PATH_INFO"], environ["QUERY_STRING"])
    start_response(status, headers + [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    status, headers, body = serve(scope["path"], scope["query_string"].decode())
    headers.append(("Content-Length", str(len(body))))
    headers = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": int(status[:3]), "headers": headers})
    await send({"type": "http.response.body", "body": body})
