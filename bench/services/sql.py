"""Reports by SQLite over a generated table of orders: what to group and sort by is in the query."""
import json
import random
import sqlite3

from serve import serve

random.seed(1)
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INT, product TEXT, usd REAL)")
orders = [
    (n, random.randrange(20_000), f"p{random.randrange(50)}", random.expovariate(0.02))
    for n in range(200_000)
]
database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", orders)


def report(query, _):
    by = {"customer": "customer", "product": "product", "none": "id"}[query["by"]]
    rows = database.execute(
        f"SELECT {by}, count(*), sum(usd) FROM orders WHERE id BETWEEN ? AND ?"
        f" GROUP BY {by} ORDER BY sum(usd) DESC LIMIT ?",
        (int(query["from"]), int(query["to"]), int(query["limit"])),
    )
    return json.dumps(rows.fetchall()).encode()


serve(report)
