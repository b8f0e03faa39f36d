"""Pages by jinja2: how many items, columns and which layout are in the query."""
from jinja2 import Environment

from serve import serve

environment = Environment(autoescape=True)
LIST = environment.from_string(
    "<ul>{% for item in items %}<li>{{ item.name }}: {{ item.price }}</li>{% endfor %}</ul>"
)
TABLE = environment.from_string(
    "<table>{% for item in items %}<tr>{% for n in range(columns) %}"
    "<td class='{{ loop.cycle('odd', 'even') }}'>{{ item.name | upper }} {{ n }}</td>"
    "{% endfor %}</tr>{% endfor %}</table>"
)


def page(query, _):
    items = [{"name": f"item <{n}>", "price": n / 7} for n in range(int(query["items"]))]
    template = TABLE if query["layout"] == "table" else LIST
    return template.render(items=items, columns=int(query["columns"])).encode()


serve(page)
