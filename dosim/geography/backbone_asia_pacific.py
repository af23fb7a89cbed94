"""Long-haul routes of Asia, Australia and the Pacific islands: data only, as in `backbone_americas`."""

from __future__ import annotations

from typing import Final

from dosim.geography.backbone_americas import Cable, Chain

LAND: Final[tuple[Chain, ...]] = (
    # East Asia.
    ("Sapporo", "Tokyo", "Osaka", "Fukuoka"),
    ("Busan", "Seoul"),
    ("Taipei", "Kaohsiung"),
    ("Ulaanbaatar", "Beijing", "Shanghai", "Guangzhou", "Shenzhen", "Hong Kong"),
    ("Beijing", "Guangzhou", "Macau", "Hong Kong"),
    # South-East Asia.
    ("Guangzhou", "Hanoi", "Da Nang", "Ho Chi Minh City", "Phnom Penh", "Bangkok"),
    ("Chiang Mai", "Bangkok", "Vientiane"),
    ("Yangon", "Bangkok", "Kuala Lumpur", "Johor Bahru", "Singapore"),
    ("Kuching", "Bandar Seri Begawan"),
    ("Jakarta", "Yogyakarta", "Surabaya", "Denpasar"),
    # South Asia. Nothing crosses from India to Pakistan or China.
    ("Jamnagar", "Ahmedabad", "Mumbai", "Pune", "Hyderabad", "Chennai", "Bangalore", "Pune"),
    ("Ahmedabad", "Delhi", "Chandigarh"),
    ("Mumbai", "Nagpur", "Kolkata"),
    ("Delhi", "Nagpur", "Hyderabad", "Bangalore", "Kochi"),
    ("Delhi", "Kanpur", "Patna", "Kolkata", "Bhubaneswar", "Chennai"),
    ("Kolkata", "Dhaka", "Chittagong"),
    ("Patna", "Kathmandu"),
    ("Kolkata", "Thimphu"),
    ("Karachi", "Lahore", "Islamabad"),
    # Australia and New Zealand.
    ("Perth", "Adelaide", "Melbourne", "Canberra", "Sydney", "Brisbane"),
    ("Adelaide", "Sydney"),
    ("Adelaide", "Darwin"),
    ("Auckland", "Wellington", "Christchurch"),
)

SEA: Final[tuple[Cable, ...]] = (
    # East Asia.
    ("Busan", "Fukuoka", 270, "KJCN"),
    ("Fukuoka", "Naha", 1000, "NTT Okinawa"),
    ("Shanghai", "Busan", 1000, "APG, NCP"),
    ("Shanghai", "Fukuoka", 1050, "EAC-C2C"),
    ("Shanghai", "Tokyo", 2200, "APG, NCP"),
    ("Tokyo", "Taipei", 2800, "FASTER, EAC-C2C"),
    ("Tokyo", "Hong Kong", 4200, "ASE, TGN Intra-Asia, SJC"),
    ("Tokyo", "Singapore", 6600, "ASE: 7,200 km with branches"),
    ("Tokyo", "Manila", 3700, "ASE, JUPITER"),
    ("Busan", "Taipei", 1750, "APG, EAC-C2C"),
    ("Busan", "Hong Kong", 2650, "APG, SJC2"),
    ("Taipei", "Hong Kong", 1050, "APG, EAC-C2C"),
    ("Kaohsiung", "Hong Kong", 750, "FNAL"),
    # South-East Asia.
    ("Hong Kong", "Singapore", 3250, "ASE, APG, SJC"),
    ("Hong Kong", "Manila", 1450, "ASE, AAG"),
    ("Hong Kong", "Da Nang", 1150, "APG"),
    ("Hong Kong", "Ho Chi Minh City", 2000, "AAG, TGN Intra-Asia"),
    ("Singapore", "Ho Chi Minh City", 1450, "AAG, TGN Intra-Asia"),
    ("Singapore", "Manila", 2900, "ASE, SJC"),
    ("Singapore", "Bandar Seri Begawan", 1450, "SJC, AAG"),
    ("Singapore", "Kuching", 850, "SEA-US feeder, SKR1M"),
    ("Singapore", "Jakarta", 1150, "Matrix 1,055 km, B3JS"),
    ("Singapore", "Yangon", 2400, "SEA-ME-WE 5, MYUA"),
    ("Manila", "Cebu", 650, "PDSCN"),
    # The Indian Ocean. For Singapore to Europe see RED_SEA in `backbone_europe_africa`.
    ("Singapore", "Chennai", 3200, "i2i: 3,175 km, MIST"),
    ("Singapore", "Colombo", 3050, "SEA-ME-WE 5"),
    ("Singapore", "Chittagong", 2900, "SEA-ME-WE 5 (Kuakata)"),
    ("Chennai", "Colombo", 850, "Bharat Lanka, IAX"),
    ("Colombo", "Malé", 900, "Dhiraagu-SLTL, MSC"),
    ("Mumbai", "Fujairah", 2200, "TGN Gulf, AAE-1, GBI"),
    ("Karachi", "Fujairah", 1300, "TW1: 1,300 km"),
    # Australia and the Pacific.
    ("Singapore", "Perth", 4600, "Australia Singapore Cable 4,600 km, INDIGO West"),
    ("Jakarta", "Perth", 3650, "Australia Singapore Cable, INDIGO West"),
    ("Perth", "Sydney", 4850, "INDIGO Central 4,850 km"),
    ("Sydney", "Auckland", 2350, "Tasman Global Access 2,288 km"),
    ("Melbourne", "Hobart", 700, "Bass Strait 1 and 2"),
    ("Tokyo", "Hagåtña", 2750, "JGA North"),
    ("Sydney", "Hagåtña", 7050, "JGA South, PPC-1 6,900 km"),
    ("Manila", "Hagåtña", 3150, "AAG"),
    ("Honolulu", "Hagåtña", 6900, "SEA-US, AAG"),
    ("Honolulu", "Tokyo", 6700, "Japan-US"),
    ("Honolulu", "Papeete", 4650, "Honotua"),
    ("Honolulu", "Suva", 5700, "Southern Cross"),
    ("Honolulu", "Auckland", 8000, "Hawaiki"),
    ("Suva", "Auckland", 2400, "Southern Cross"),
    ("Suva", "Sydney", 3700, "Southern Cross"),
    ("Nouméa", "Sydney", 2200, "Gondwana-1 2,151 km"),
    ("Nouméa", "Suva", 1500, "Gondwana-2"),
    ("Port Moresby", "Sydney", 3200, "Coral Sea Cable"),
)
