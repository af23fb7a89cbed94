"""Cities of Europe, the Caucasus, Russia and Central Asia: data only, grouped by location hint.

Rows as in `cities_americas`. Which countries are `weur` and which `eeur` is not documented: the border here runs
between Germany, Italy and the Nordic countries on one side and Poland, Czechia and Austria on the other (assumed).
"""

from __future__ import annotations

from typing import Final

from dosim.geography.cities_americas import Row

SITES: Final[dict[str, tuple[Row, ...]]] = {
    "weur": (
        ("Amsterdam", 52.37, 4.90, "AMS", "NL"),
        ("Barcelona", 41.39, 2.17, "BCN", "ES"),
        ("Berlin", 52.52, 13.40, "TXL", "DE"),
        ("Bilbao", 43.26, -2.93, "BIO", "ES"),
        ("Bordeaux", 44.84, -0.58, "BOD", "FR"),
        ("Brussels", 50.85, 4.35, "BRU", "BE"),
        ("Cardiff", 51.48, -3.18, "CWL", "GB"),
        ("Copenhagen", 55.68, 12.57, "CPH", "DK"),
        ("Cork", 51.90, -8.47, "ORK", "IE"),
        ("Dublin", 53.35, -6.26, "DUB", "IE"),
        ("Düsseldorf", 51.23, 6.77, "DUS", "DE"),
        ("Edinburgh", 55.95, -3.19, "EDI", "GB"),
        ("Frankfurt", 50.11, 8.68, "FRA", "DE"),
        ("Geneva", 46.20, 6.14, "GVA", "CH"),
        ("Gothenburg", 57.71, 11.97, "GOT", "SE"),
        ("Gävle", 60.67, 17.14, "GVX", "SE"),
        ("Hamburg", 53.55, 9.99, "HAM", "DE"),
        ("Lisbon", 38.72, -9.14, "LIS", "PT"),
        ("London", 51.51, -0.13, "LHR", "GB"),
        ("Luxembourg", 49.61, 6.13, "LUX", "LU"),
        ("Lyon", 45.76, 4.84, "LYS", "FR"),
        ("Madrid", 40.42, -3.70, "MAD", "ES"),
        ("Manchester", 53.48, -2.24, "MAN", "GB"),
        ("Marseille", 43.30, 5.37, "MRS", "FR"),
        ("Milan", 45.46, 9.19, "MXP", "IT"),
        ("Munich", 48.14, 11.58, "MUC", "DE"),
        ("Oslo", 59.91, 10.75, "OSL", "NO"),
        ("Palermo", 38.12, 13.36, "PMO", "IT"),
        ("Paris", 48.86, 2.35, "CDG", "FR"),
        ("Porto", 41.15, -8.61, "OPO", "PT"),
        ("Reykjavík", 64.15, -21.94, "KEF", "IS"),
        ("Rome", 41.90, 12.50, "FCO", "IT"),
        ("Stavanger", 58.97, 5.73, "SVG", "NO"),
        ("Stockholm", 59.33, 18.07, "ARN", "SE"),
        ("Stuttgart", 48.78, 9.18, "STR", "DE"),
        ("Valletta", 35.90, 14.51, "MLA", "MT"),
        ("Zurich", 47.38, 8.54, "ZRH", "CH"),
    ),
    "eeur": (
        ("Aktobe", 50.28, 57.17, "AKX", "KZ"),
        ("Almaty", 43.24, 76.89, "ALA", "KZ"),
        ("Astana", 51.13, 71.43, "NQZ", "KZ"),
        ("Athens", 37.98, 23.73, "ATH", "GR"),
        ("Baku", 40.41, 49.87, "GYD", "AZ"),
        ("Belgrade", 44.79, 20.45, "BEG", "RS"),
        ("Bishkek", 42.87, 74.59, "FRU", "KG"),
        ("Bratislava", 48.15, 17.11, "BTS", "SK"),
        ("Bucharest", 44.43, 26.10, "OTP", "RO"),
        ("Budapest", 47.50, 19.04, "BUD", "HU"),
        ("Chișinău", 47.01, 28.86, "KIV", "MD"),
        ("Helsinki", 60.17, 24.94, "HEL", "FI"),
        ("Istanbul", 41.01, 28.98, "IST", "TR"),
        ("Izmir", 38.42, 27.14, "ADB", "TR"),
        ("Krasnoyarsk", 56.01, 92.87, "KJA", "RU"),
        ("Kyiv", 50.45, 30.52, "KBP", "UA"),
        ("Ljubljana", 46.06, 14.51, "LJU", "SI"),
        ("Minsk", 53.90, 27.57, "MSQ", "BY"),
        ("Moscow", 55.76, 37.62, "DME", "RU"),
        ("Nicosia", 35.17, 33.36, "LCA", "CY"),
        ("Prague", 50.08, 14.44, "PRG", "CZ"),
        ("Riga", 56.95, 24.11, "RIX", "LV"),
        ("Skopje", 42.00, 21.43, "SKP", "MK"),
        ("Sofia", 42.70, 23.32, "SOF", "BG"),
        ("St. Petersburg", 59.93, 30.34, "LED", "RU"),
        ("Tallinn", 59.44, 24.75, "TLL", "EE"),
        ("Tashkent", 41.30, 69.24, "TAS", "UZ"),
        ("Tbilisi", 41.72, 44.78, "TBS", "GE"),
        ("Thessaloniki", 40.64, 22.94, "SKG", "GR"),
        ("Tirana", 41.33, 19.82, "TIA", "AL"),
        ("Vienna", 48.21, 16.37, "VIE", "AT"),
        ("Vilnius", 54.69, 25.28, "VNO", "LT"),
        ("Warsaw", 52.23, 21.01, "WAW", "PL"),
        ("Wrocław", 51.11, 17.04, "WRO", "PL"),
        ("Yekaterinburg", 56.84, 60.61, "SVX", "RU"),
        ("Yerevan", 40.18, 44.51, "EVN", "AM"),
        ("Zagreb", 45.81, 15.98, "ZAG", "HR"),
    ),
}

#: Cities without a Cloudflare location; the code is the nearest airport's.
WITHOUT_COLO: Final = frozenset(
    {
        "Bilbao",
        "Cardiff",
        "Cork",
        "Edinburgh",
        "Gävle",
        "Porto",
        "Stavanger",
        "Tashkent",
        "Yekaterinburg",
    }
)
