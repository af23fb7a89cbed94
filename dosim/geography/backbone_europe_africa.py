"""Long-haul routes of Europe, Russia, Central Asia, the Middle East and Africa: data only, as in `backbone_americas`.

What is left out is as much a fact as what is there. No route joins Europe to East Asia overland: the trans-Siberian
and trans-Kazakh fibres carry little of that traffic, and the measured round trips are those of the way through Egypt.
None joins Iraq to Kuwait, Israel to the Gulf, or Jeddah to Suez, so that no traffic between Europe and India crosses
Mesopotamia or Arabia, as measured.
"""

from __future__ import annotations

from typing import Final

from dosim.geography.backbone_americas import Cable, Chain

LAND: Final[tuple[Chain, ...]] = (
    # Western Europe. The Channel's cables are short enough to count as land.
    ("London", "Paris", "Frankfurt"),
    ("London", "Amsterdam", "Düsseldorf", "Frankfurt"),
    ("London", "Brussels", "Amsterdam"),
    ("Brussels", "Paris"),
    ("Brussels", "Luxembourg", "Frankfurt"),
    ("London", "Cardiff"),
    ("London", "Manchester", "Edinburgh"),
    ("Cork", "Dublin"),
    ("Amsterdam", "Hamburg", "Berlin", "Frankfurt", "Hamburg"),
    ("Frankfurt", "Stuttgart", "Zurich", "Milan"),
    ("Frankfurt", "Munich", "Vienna"),
    ("Stuttgart", "Munich", "Milan"),
    ("Zurich", "Geneva", "Lyon", "Marseille", "Milan", "Rome", "Palermo"),
    ("Paris", "Lyon"),
    ("Paris", "Geneva"),
    ("Paris", "Bordeaux", "Bilbao", "Madrid"),
    ("Marseille", "Barcelona", "Madrid", "Lisbon", "Porto"),
    # The north.
    ("Hamburg", "Copenhagen", "Gothenburg", "Oslo", "Stockholm", "Copenhagen", "Berlin"),
    ("Oslo", "Stavanger"),
    ("Stockholm", "Gävle"),
    # The east and the Balkans.
    ("Berlin", "Warsaw", "Vilnius", "Riga", "Tallinn"),
    ("Berlin", "Prague", "Vienna"),
    ("Frankfurt", "Prague", "Wrocław", "Warsaw", "Vienna"),
    ("Warsaw", "Kyiv", "Chișinău", "Bucharest"),
    ("Vienna", "Bratislava", "Budapest", "Belgrade", "Sofia", "Istanbul", "Izmir"),
    ("Budapest", "Bucharest", "Sofia", "Thessaloniki", "Athens"),
    ("Vienna", "Ljubljana", "Zagreb", "Belgrade", "Skopje", "Thessaloniki"),
    ("Milan", "Ljubljana"),
    ("Skopje", "Tirana"),
    # Russia, the Caucasus and Central Asia: all lean on Moscow and Istanbul.
    ("Warsaw", "Minsk", "Moscow", "St. Petersburg", "Helsinki"),
    ("Vilnius", "Minsk"),
    ("Moscow", "Yekaterinburg", "Krasnoyarsk"),
    ("Yekaterinburg", "Astana", "Almaty", "Bishkek"),
    ("Yekaterinburg", "Aktobe", "Tashkent", "Almaty"),
    ("Moscow", "Baku", "Tbilisi", "Istanbul"),
    ("Tbilisi", "Yerevan"),
    # The Middle East.
    ("Istanbul", "Erbil", "Baghdad", "Najaf", "Basra"),
    ("Haifa", "Tel Aviv", "Ramallah"),
    ("Amman", "Cairo"),
    ("Fujairah", "Dubai", "Abu Dhabi"),
    ("Fujairah", "Muscat"),
    ("Manama", "Dammam", "Riyadh", "Jeddah"),
    ("Dammam", "Kuwait City"),
    # Africa.
    ("Djibouti", "Addis Ababa", "Khartoum"),
    ("Mombasa", "Nairobi", "Kampala", "Kigali"),
    ("Dar es Salaam", "Lilongwe", "Lusaka"),
    ("Cape Town", "Johannesburg", "Durban"),
    ("Johannesburg", "Maputo"),
    ("Johannesburg", "Gaborone", "Windhoek", "Cape Town"),
    ("Johannesburg", "Harare", "Lusaka"),
    ("Harare", "Maputo"),
    ("Luanda", "Kinshasa"),
    ("Abidjan", "Yamoussoukro", "Ouagadougou", "Accra"),
    ("Oran", "Algiers", "Annaba", "Tunis"),
)

SEA: Final[tuple[Cable, ...]] = (
    # The Irish Sea, the Nordic seas and Iceland.
    ("Manchester", "Dublin", 320, "CeltixConnect, Emerald Bridge"),
    ("Cardiff", "Dublin", 360, "Solas, ESAT-1"),
    ("Cork", "Cardiff", 480, "EXA Express"),
    ("Stockholm", "Helsinki", 560, "Baltic Sea Submarine Cable"),
    ("Stockholm", "Tallinn", 480, "BCS, Estonia-Sweden"),
    ("Helsinki", "Tallinn", 110, "FEC"),
    ("Helsinki", "Hamburg", 1450, "C-Lion1: Helsinki to Rostock 1,173 km"),
    ("Reykjavík", "Dublin", 2000, "IRIS: to Galway 1,770 km"),
    ("Reykjavík", "Hamburg", 2700, "DANICE: to Blaabjerg 2,304 km"),
    ("Reykjavík", "Edinburgh", 1800, "FARICE-1"),
    # The Mediterranean.
    ("Lisbon", "London", 2200, "TGN Western Europe, WACS, Equiano"),
    ("Palermo", "Valletta", 330, "Epic Malta-Sicily, GO-1"),
    ("Palermo", "Tunis", 400, "Trapani-Kelibia, KELTRA-2"),
    ("Marseille", "Tunis", 1050, "Didon, SEA-ME-WE 4"),
    ("Marseille", "Annaba", 900, "SEA-ME-WE 4"),
    ("Marseille", "Algiers", 950, "ALPAL-2, MED Cable"),
    ("Madrid", "Oran", 1050, "ORVAL"),
    ("Madrid", "Casablanca", 1250, "Tétouan-Estepona, Canalink"),
    ("Lisbon", "Casablanca", 800, "Africa Coast to Europe"),
    ("Marseille", "Athens", 2500, "MedNautilus, SEA-ME-WE 3"),
    ("Rome", "Athens", 1500, "OTEGLOBE Kokkini-Bari"),
    ("Rome", "Tirana", 800, "Adria-1, Italy-Albania"),
    ("Rome", "Tel Aviv", 2950, "JONAH: Bari to Tel Aviv 2,300 km"),
    ("Marseille", "Tel Aviv", 3400, "MedNautilus, Quantum"),
    ("Athens", "Nicosia", 1200, "MedNautilus, ARIANE"),
    ("Nicosia", "Tel Aviv", 450, "Tamares North"),
    ("Nicosia", "Beirut", 280, "CADMOS"),
    ("Marseille", "Cairo", 3250, "AAE-1, SEA-ME-WE 5, PEACE: to Abu Talat about 3,000 km"),
    # The Red Sea and the Gulf. Europe's traffic with India runs by the Gulf: SEA-ME-WE 4, IMEWE, EIG and FALCON, the
    # cables that went straight from Suez to Mumbai, were cut off Jeddah in September 2025 (Microsoft, 2025-09-06).
    ("Djibouti", "Jeddah", 1350, "AAE-1, SEA-ME-WE 5"),
    ("Djibouti", "Fujairah", 2750, "AAE-1"),
    ("Jeddah", "Khartoum", 1300, "SAS-1 to Port Sudan"),
    ("Abu Dhabi", "Doha", 360, "QSSC, Gulf Bridge"),
    ("Dubai", "Doha", 450, "Gulf Bridge, FALCON"),
    ("Doha", "Manama", 220, "Gulf Bridge, FOG"),
    ("Manama", "Kuwait City", 520, "FOG, Gulf Bridge"),
    # Africa's west coast. The trunk from Cape Town to Lisbon is shorter than the sum of the coast's landings.
    ("Cape Town", "Lisbon", 10900, "WACS 14,530 km to London, Equiano, SAT-3/WASC, 2Africa"),
    ("Lisbon", "Dakar", 3300, "ACE, SAT-3/WASC, ATLANTIS-2"),
    ("Dakar", "Abidjan", 2300, "ACE, SAT-3/WASC"),
    ("Abidjan", "Accra", 600, "WACS, SAT-3/WASC, MainOne"),
    ("Accra", "Lagos", 500, "WACS, SAT-3/WASC, MainOne"),
    ("Lagos", "Douala", 1050, "WACS, SAT-3/WASC, NCSCS"),
    ("Douala", "Libreville", 550, "SAT-3/WASC"),
    ("Libreville", "Luanda", 1350, "SAT-3/WASC, ACE"),
    ("Lagos", "Luanda", 2400, "WACS, Equiano"),
    ("Luanda", "Cape Town", 3300, "WACS, SAT-3/WASC"),
    ("Kinshasa", "Libreville", 1500, "WACS (Muanda)"),
    # Africa's east coast and the islands. SAFE (South Africa to Malaysia, 2002) is too old and thin to carry transit.
    ("Durban", "Maputo", 750, "SEACOM, EASSy"),
    ("Maputo", "Dar es Salaam", 3100, "SEACOM, EASSy, 2Africa"),
    ("Dar es Salaam", "Mombasa", 450, "SEACOM, EASSy"),
    ("Mombasa", "Djibouti", 3400, "EASSy, SEACOM, DARE1"),
    ("Mombasa", "Fujairah", 4900, "TEAMS: 4,500 to 5,000 km by source; 2Africa Pearls"),
    ("Durban", "Port Louis", 3300, "T3, METISS 3,200 km"),
    ("Port Louis", "Saint-Denis", 300, "METISS, LION"),
    ("Saint-Denis", "Antananarivo", 1100, "LION, METISS"),
)

#: The trunks through Egypt: (city, city, length_km, of which in the Red Sea, systems). Every system between Europe and
#: Asia shares that sea, so its part has a factor of its own (constants.RED_SEA_DETOUR). The fibres to Singapore pass
#: Djibouti and Sri Lanka without being broken out there.
RED_SEA: Final[tuple[tuple[str, str, int, int, str], ...]] = (
    ("Cairo", "Djibouti", 2600, 2600, "AAE-1, EASSy extensions"),
    ("Cairo", "Singapore", 10200, 2600, "SEA-ME-WE 5, AAE-1, PEACE"),
)
