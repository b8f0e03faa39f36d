"""Charts by matplotlib: kind, points, series and size are in the query."""
from io import BytesIO

import matplotlib

matplotlib.use("agg")
import numpy
from matplotlib import pyplot

from serve import serve


def chart(query, _):
    n_points, n_series = int(query["points"]), int(query["series"])
    figure, axes = pyplot.subplots(figsize=(6, 4), dpi=int(query["dpi"]))
    for index in range(n_series):
        y = numpy.sin(numpy.arange(n_points) / 9 + index)
        x = numpy.arange(n_points)
        if query["kind"] == "line":
            axes.plot(x, y)
        elif query["kind"] == "scatter":
            axes.scatter(x, y, s=9)
        else:
            axes.bar(x, y)
    out = BytesIO()
    figure.savefig(out, format="png")
    pyplot.close(figure)
    return out.getvalue()


serve(chart)
