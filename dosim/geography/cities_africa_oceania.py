"""Cities of Africa and Oceania: data only, grouped by location hint. Rows as in `cities_americas`."""

from __future__ import annotations

from typing import Final

from dosim.geography.cities_americas import Row

SITES: Final[dict[str, tuple[Row, ...]]] = {
    "afr": (
        ("Abidjan", 5.36, -4.01, "ABJ", "CI"),
        ("Accra", 5.60, -0.19, "ACC", "GH"),
        ("Addis Ababa", 9.02, 38.75, "ADD", "ET"),
        ("Algiers", 36.75, 3.06, "ALG", "DZ"),
        ("Annaba", 36.90, 7.77, "AAE", "DZ"),
        ("Antananarivo", -18.88, 47.51, "TNR", "MG"),
        ("Cairo", 30.04, 31.24, "CAI", "EG"),
        ("Cape Town", -33.92, 18.42, "CPT", "ZA"),
        ("Casablanca", 33.57, -7.59, "CMN", "MA"),
        ("Dakar", 14.72, -17.47, "DKR", "SN"),
        ("Dar es Salaam", -6.79, 39.21, "DAR", "TZ"),
        ("Djibouti", 11.57, 43.15, "JIB", "DJ"),
        ("Douala", 4.05, 9.77, "DLA", "CM"),
        ("Durban", -29.86, 31.02, "DUR", "ZA"),
        ("Gaborone", -24.63, 25.92, "GBE", "BW"),
        ("Harare", -17.83, 31.05, "HRE", "ZW"),
        ("Johannesburg", -26.20, 28.05, "JNB", "ZA"),
        ("Kampala", 0.35, 32.58, "EBB", "UG"),
        ("Khartoum", 15.50, 32.56, "KRT", "SD"),
        ("Kigali", -1.94, 30.06, "KGL", "RW"),
        ("Kinshasa", -4.44, 15.27, "FIH", "CD"),
        ("Lagos", 6.52, 3.38, "LOS", "NG"),
        ("Libreville", 0.42, 9.47, "LBV", "GA"),
        ("Lilongwe", -13.96, 33.79, "LLW", "MW"),
        ("Luanda", -8.84, 13.23, "LAD", "AO"),
        ("Lusaka", -15.39, 28.32, "LUN", "ZM"),
        ("Maputo", -25.97, 32.57, "MPM", "MZ"),
        ("Mombasa", -4.04, 39.67, "MBA", "KE"),
        ("Nairobi", -1.29, 36.82, "NBO", "KE"),
        ("Oran", 35.70, -0.63, "ORN", "DZ"),
        ("Ouagadougou", 12.37, -1.52, "OUA", "BF"),
        ("Port Louis", -20.16, 57.50, "MRU", "MU"),
        ("Saint-Denis", -20.88, 55.45, "RUN", "RE"),
        ("Tunis", 36.81, 10.18, "TUN", "TN"),
        ("Windhoek", -22.56, 17.08, "WDH", "NA"),
        ("Yamoussoukro", 6.83, -5.29, "ASK", "CI"),
    ),
    "oc": (
        ("Adelaide", -34.93, 138.60, "ADL", "AU"),
        ("Auckland", -36.85, 174.76, "AKL", "NZ"),
        ("Brisbane", -27.47, 153.03, "BNE", "AU"),
        ("Canberra", -35.28, 149.13, "CBR", "AU"),
        ("Christchurch", -43.53, 172.64, "CHC", "NZ"),
        ("Darwin", -12.46, 130.84, "DRW", "AU"),
        ("Hagåtña", 13.48, 144.75, "GUM", "GU"),
        ("Hobart", -42.88, 147.33, "HBA", "AU"),
        ("Melbourne", -37.81, 144.96, "MEL", "AU"),
        ("Nouméa", -22.27, 166.46, "NOU", "NC"),
        ("Papeete", -17.54, -149.57, "PPT", "PF"),
        ("Perth", -31.95, 115.86, "PER", "AU"),
        ("Port Moresby", -9.44, 147.18, "POM", "PG"),
        ("Suva", -18.14, 178.44, "SUV", "FJ"),
        ("Sydney", -33.87, 151.21, "SYD", "AU"),
        ("Wellington", -41.29, 174.78, "WLG", "NZ"),
    ),
}

#: Cities without a Cloudflare location; the code is the nearest airport's.
WITHOUT_COLO: Final = frozenset({"Casablanca", "Darwin", "Khartoum", "Libreville", "Port Moresby"})
