"""Cities of Asia and the Middle East: data only, grouped by location hint.

Rows as in `cities_americas`. Inside Asia-Pacific the sub-regions `apac-ne` and `apac-se` (changelog 2026-06-19) take
East Asia and South-East Asia; South Asia answers to `apac` alone (assumed: the border is not documented).
"""

from __future__ import annotations

from typing import Final

from dosim.geography.cities_americas import Row

SITES: Final[dict[str, tuple[Row, ...]]] = {
    "apac": (
        ("Ahmedabad", 23.02, 72.57, "AMD", "IN"),
        ("Bangalore", 12.97, 77.59, "BLR", "IN"),
        ("Bhubaneswar", 20.30, 85.82, "BBI", "IN"),
        ("Chandigarh", 30.73, 76.78, "IXC", "IN"),
        ("Chennai", 13.08, 80.27, "MAA", "IN"),
        ("Chittagong", 22.36, 91.78, "CGP", "BD"),
        ("Colombo", 6.93, 79.86, "CMB", "LK"),
        ("Delhi", 28.61, 77.21, "DEL", "IN"),
        ("Dhaka", 23.81, 90.41, "DAC", "BD"),
        ("Hyderabad", 17.39, 78.49, "HYD", "IN"),
        ("Islamabad", 33.68, 73.05, "ISB", "PK"),
        ("Jamnagar", 22.47, 70.06, "JGA", "IN"),
        ("Kanpur", 26.45, 80.33, "KNU", "IN"),
        ("Karachi", 24.86, 67.01, "KHI", "PK"),
        ("Kathmandu", 27.72, 85.32, "KTM", "NP"),
        ("Kochi", 9.93, 76.27, "COK", "IN"),
        ("Kolkata", 22.57, 88.36, "CCU", "IN"),
        ("Lahore", 31.55, 74.34, "LHE", "PK"),
        ("Malé", 4.18, 73.51, "MLE", "MV"),
        ("Mumbai", 19.08, 72.88, "BOM", "IN"),
        ("Nagpur", 21.15, 79.09, "NAG", "IN"),
        ("Patna", 25.59, 85.14, "PAT", "IN"),
        ("Pune", 18.52, 73.86, "PNQ", "IN"),
        ("Thimphu", 27.47, 89.64, "PBH", "BT"),
    ),
    "apac-ne": (
        ("Beijing", 39.90, 116.41, "PKX", "CN"),
        ("Busan", 35.18, 129.08, "PUS", "KR"),
        ("Fukuoka", 33.59, 130.40, "FUK", "JP"),
        ("Guangzhou", 23.13, 113.26, "CAN", "CN"),
        ("Hong Kong", 22.32, 114.17, "HKG", "HK"),
        ("Kaohsiung", 22.63, 120.30, "KHH", "TW"),
        ("Macau", 22.20, 113.54, "MFM", "MO"),
        ("Naha", 26.21, 127.68, "OKA", "JP"),
        ("Osaka", 34.69, 135.50, "KIX", "JP"),
        ("Sapporo", 43.06, 141.35, "CTS", "JP"),
        ("Seoul", 37.57, 126.98, "ICN", "KR"),
        ("Shanghai", 31.23, 121.47, "SHA", "CN"),
        ("Shenzhen", 22.54, 114.06, "SZX", "CN"),
        ("Taipei", 25.03, 121.57, "TPE", "TW"),
        ("Tokyo", 35.68, 139.69, "NRT", "JP"),
        ("Ulaanbaatar", 47.89, 106.91, "ULN", "MN"),
    ),
    "apac-se": (
        ("Bandar Seri Begawan", 4.90, 114.94, "BWN", "BN"),
        ("Bangkok", 13.76, 100.50, "BKK", "TH"),
        ("Cebu", 10.32, 123.89, "CEB", "PH"),
        ("Chiang Mai", 18.79, 98.99, "CNX", "TH"),
        ("Da Nang", 16.05, 108.20, "DAD", "VN"),
        ("Denpasar", -8.65, 115.22, "DPS", "ID"),
        ("Hanoi", 21.03, 105.85, "HAN", "VN"),
        ("Ho Chi Minh City", 10.82, 106.63, "SGN", "VN"),
        ("Jakarta", -6.21, 106.85, "CGK", "ID"),
        ("Johor Bahru", 1.49, 103.74, "JHB", "MY"),
        ("Kuala Lumpur", 3.14, 101.69, "KUL", "MY"),
        ("Kuching", 1.55, 110.34, "KCH", "MY"),
        ("Manila", 14.60, 120.98, "MNL", "PH"),
        ("Phnom Penh", 11.56, 104.92, "PNH", "KH"),
        ("Singapore", 1.35, 103.82, "SIN", "SG"),
        ("Surabaya", -7.26, 112.75, "SUB", "ID"),
        ("Vientiane", 17.98, 102.63, "VTE", "LA"),
        ("Yangon", 16.87, 96.20, "RGN", "MM"),
        ("Yogyakarta", -7.80, 110.37, "JOG", "ID"),
    ),
    "me": (
        ("Abu Dhabi", 24.45, 54.38, "AUH", "AE"),
        ("Amman", 31.95, 35.93, "AMM", "JO"),
        ("Baghdad", 33.31, 44.37, "BGW", "IQ"),
        ("Basra", 30.51, 47.78, "BSR", "IQ"),
        ("Beirut", 33.89, 35.50, "BEY", "LB"),
        ("Dammam", 26.42, 50.09, "DMM", "SA"),
        ("Doha", 25.29, 51.53, "DOH", "QA"),
        ("Dubai", 25.20, 55.27, "DXB", "AE"),
        ("Erbil", 36.19, 44.01, "EBL", "IQ"),
        ("Fujairah", 25.13, 56.33, "FJR", "AE"),
        ("Haifa", 32.79, 34.99, "HFA", "IL"),
        ("Jeddah", 21.49, 39.19, "JED", "SA"),
        ("Kuwait City", 29.38, 47.99, "KWI", "KW"),
        ("Manama", 26.23, 50.59, "BAH", "BH"),
        ("Muscat", 23.59, 58.41, "MCT", "OM"),
        ("Najaf", 32.00, 44.33, "NJF", "IQ"),
        ("Ramallah", 31.90, 35.20, "ZDM", "PS"),
        ("Riyadh", 24.71, 46.68, "RUH", "SA"),
        ("Tel Aviv", 32.09, 34.78, "TLV", "IL"),
    ),
}

#: Cities without a Cloudflare location; the code is the nearest airport's. The Chinese ones have locations, but of the
#: separate China Network, which a partner runs and where Durable Objects are not offered: clients of the global
#: network enter outside.
WITHOUT_COLO: Final = frozenset(
    {
        "Abu Dhabi",
        "Beijing",
        "Busan",
        "Fujairah",
        "Guangzhou",
        "Jamnagar",
        "Sapporo",
        "Shanghai",
        "Shenzhen",
        "Surabaya",
        "Yangon",
    }
)
