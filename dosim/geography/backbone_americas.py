"""Long-haul routes of the Americas, and the cables between them and the other continents: data only.

`LAND` holds chains of cities: each neighbouring pair is one fibre route along roads and railways. `SEA` holds
(city, city, length_km, systems). A length covers the cable and the way from its landing to the city; where operators
publish only the length of a whole system with its branches, the trunk's length is estimated from the map (assumed).
"""

from __future__ import annotations

from typing import Final

Chain = tuple[str, ...]
Cable = tuple[str, str, int, str]

LAND: Final[tuple[Chain, ...]] = (
    # The eastern seaboard and the way to Florida.
    ("Halifax", "Bangor", "Boston", "New York", "Philadelphia", "Ashburn", "Richmond", "Boydton", "Raleigh"),
    ("Raleigh", "Charlotte", "Atlanta", "Jacksonville", "Miami"),
    ("Richmond", "Norfolk"),
    ("Tallahassee", "Tampa", "Miami"),
    ("Jacksonville", "Tallahassee"),
    # The Great Lakes.
    ("New York", "Buffalo", "Toronto", "Detroit", "Chicago"),
    ("Buffalo", "Cleveland", "Detroit"),
    ("Ashburn", "Pittsburgh", "Cleveland", "Chicago"),
    ("Pittsburgh", "Columbus", "Indianapolis", "Chicago"),
    ("Columbus", "Cincinnati", "Indianapolis", "St. Louis"),
    ("Cincinnati", "Nashville"),
    # The middle.
    ("Chicago", "Des Moines", "Omaha", "Cheyenne", "Salt Lake City", "Sacramento", "San Francisco"),
    ("Omaha", "Denver", "Cheyenne"),
    ("Chicago", "St. Louis", "Kansas City", "Denver", "Salt Lake City"),
    ("Des Moines", "Kansas City", "Omaha", "Sioux Falls", "Minneapolis"),
    ("Des Moines", "Minneapolis"),
    ("Kansas City", "Oklahoma City", "Dallas"),
    ("St. Louis", "Memphis", "Dallas"),
    ("Memphis", "Nashville", "Atlanta"),
    ("Atlanta", "Dallas", "Houston", "Tallahassee"),
    ("Dallas", "Austin", "San Antonio", "Houston"),
    # The south-west and the Pacific coast.
    ("San Antonio", "El Paso", "Phoenix", "Los Angeles"),
    ("Dallas", "El Paso", "Albuquerque", "Denver"),
    ("Albuquerque", "Phoenix", "San Diego", "Los Angeles"),
    ("Los Angeles", "Las Vegas", "Salt Lake City", "Portland"),
    ("Las Vegas", "Phoenix"),
    ("Los Angeles", "San Jose", "San Francisco"),
    ("Sacramento", "Portland", "Seattle", "Vancouver"),
    ("Portland", "Quincy", "Seattle"),
    ("Chicago", "Minneapolis", "Quincy"),
    # Canada.
    ("Halifax", "Quebec City", "Montreal", "Toronto", "Winnipeg", "Saskatoon", "Calgary", "Vancouver"),
    ("Montreal", "New York"),
    ("Winnipeg", "Minneapolis"),
    # Mexico and Central America.
    ("San Antonio", "McAllen", "Monterrey", "Querétaro", "Mexico City"),
    ("Querétaro", "Guadalajara", "Mexico City"),
    ("Querétaro", "El Paso"),
    ("Guadalajara", "Phoenix"),
    ("San Diego", "Tijuana"),
    ("Mexico City", "Guatemala City", "San Pedro Sula", "Tegucigalpa", "San José, Costa Rica", "Panama City"),
    # South America: the Andes, Brazil and the Southern Cone.
    ("Barranquilla", "Medellín", "Bogotá", "Cali", "Quito", "Guayaquil", "Lima", "La Paz", "Arica"),
    ("Lima", "Arica", "Santiago", "Córdoba", "Buenos Aires"),
    ("Santiago", "Buenos Aires", "Montevideo", "Porto Alegre", "Florianópolis", "Curitiba", "São Paulo"),
    ("Santiago", "Neuquén", "Buenos Aires"),
    ("Buenos Aires", "Asunción", "Curitiba"),
    ("São Paulo", "Rio de Janeiro", "Vitória", "Salvador", "Recife", "Fortaleza", "Belém", "Manaus"),
    ("São Paulo", "Campinas", "Goiânia", "Brasília", "Belo Horizonte", "Rio de Janeiro"),
    ("São Paulo", "Belo Horizonte"),
    ("Goiânia", "Cuiabá"),
    ("Georgetown", "Paramaribo"),
)

SEA: Final[tuple[Cable, ...]] = (
    # The Caribbean and the way to Brazil and Chile.
    ("Miami", "San Juan", 2000, "AMX-1, BRUSA"),
    ("Miami", "Santo Domingo", 1700, "ARCOS, AMX-1"),
    ("Miami", "Kingston", 1400, "CFX-1, ALBA"),
    ("Miami", "Barranquilla", 2200, "AMX-1"),
    ("Miami", "Caracas", 2800, "GlobeNet"),
    ("Miami", "Panama City", 2600, "MAYA-1, PCCS"),
    ("Miami", "San Pedro Sula", 1700, "MAYA-1"),
    ("Santo Domingo", "San Juan", 500, "ARCOS"),
    ("San Juan", "Bridgetown", 1100, "ECFS, Southern Caribbean Fiber"),
    ("San Juan", "Port of Spain", 1300, "Americas-II, ECFS"),
    ("Bridgetown", "Port of Spain", 450, "Southern Caribbean Fiber"),
    ("Port of Spain", "Georgetown", 750, "SG-SCS"),
    ("Barranquilla", "Panama City", 650, "PCCS"),
    ("Guayaquil", "Panama City", 1600, "PCCS, Mistral"),
    ("Lima", "Panama City", 2900, "South American Crossing, SAm-1"),
    ("Lima", "Santiago", 2900, "South American Crossing, SAm-1, Mistral"),
    ("Miami", "Fortaleza", 6200, "Monet, GlobeNet"),
    ("San Juan", "Fortaleza", 4600, "BRUSA, SAm-1"),
    ("Norfolk", "San Juan", 2600, "BRUSA"),
    ("Fortaleza", "São Paulo", 4300, "Monet (Santos)"),
    ("Fortaleza", "Rio de Janeiro", 4000, "BRUSA, GlobeNet"),
    ("New York", "São Paulo", 10900, "Seabras-1: Wall to Praia Grande 10,800 km"),
    ("Los Angeles", "Santiago", 10500, "Curie"),
    ("Rio de Janeiro", "Buenos Aires", 2700, "Malbec"),
    # The Atlantic. EllaLink (Sines to Fortaleza) and SACS (Luanda to Fortaleza) exist, yet the measured round trips
    # between Brazil and Europe or Africa are those of the way through North America: private, not long-haul transit.
    ("New York", "London", 6900, "Apollo North, AC-1, Grace Hopper: Shirley to Bude about 6,300 km"),
    ("New York", "Dublin", 6200, "AEConnect-1: Shirley to Killala 5,536 km"),
    ("Halifax", "Cork", 4300, "EXA Express: Halifax to Cork to Brean 4,600 km"),
    ("Boston", "Bordeaux", 6900, "Amitié: 6,792 km"),
    ("Norfolk", "Bilbao", 6630, "MAREA: Virginia Beach to Bilbao 6,600 km"),
    # The Pacific.
    ("Seattle", "Anchorage", 3100, "AKORN, ACS Northstar"),
    ("Los Angeles", "Honolulu", 4300, "SEA-US, Southern Cross"),
    ("Portland", "Honolulu", 4400, "Hawaiki"),
    ("Portland", "Tokyo", 9000, "New Cross Pacific, FASTER"),
    ("Portland", "Osaka", 9400, "FASTER (Shima)"),
    ("Seattle", "Tokyo", 9000, "PC-1 North"),
    ("Los Angeles", "Tokyo", 9700, "Unity 9,620 km, JUPITER"),
    ("Los Angeles", "Taipei", 12900, "PLCN"),
    ("Los Angeles", "Sydney", 13100, "Southern Cross NEXT: 13,700 km with branches"),
    ("Los Angeles", "Auckland", 11900, "Southern Cross NEXT, Hawaiki"),
)
