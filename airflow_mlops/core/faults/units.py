"""The changes of unit that feeds are known to suffer: what a number is multiplied by, and what it was means.

Factors are exact by definition (NIST Special Publication 811, appendix B) or rounded as programs have them.
"""

from __future__ import annotations

from airflow_mlops.core.faults.distance import Change

_TIMES: dict[float, str] = {
    10: "ten",
    12: "months and years, or inches and feet",
    24: "hours and days",
    25.4: "millimetres and inches",
    60: "minutes and hours, or seconds and minutes",
    100: "shares and percent, or cents",
    1_000: "thousands",
    1_440: "minutes and days",
    3_600: "seconds and hours",
    10_000: "basis points",
    86_400: "seconds and days",
    1e6: "millions, or micro",
    1e9: "billions, or nano",
    1.609344: "kilometres and miles",
    2.54: "centimetres and inches",
    3.280839895: "feet and metres",
    2.2046226218: "pounds and kilograms",
    3.6: "km/h and m/s",
    2.2369362921: "mph and m/s",
    1.9438444924: "knots and m/s",
    1.852: "km/h and knots, or kilometres and nautical miles",
    3.785411784: "litres and gallons",
    28.349523125: "grams and ounces",
    33.8638866667: "hectopascals and inches of mercury",
    4.184: "joules and calories",
    57.2957795131: "degrees and radians",
}

KNOWN: tuple[tuple[Change, str], ...] = (
    *((Change(times), f"{said}: {times:.6g} times as large") for times, said in _TIMES.items()),
    *((Change(1 / times), f"{said}: {times:.6g} times as small") for times, said in _TIMES.items()),
    (Change(1.8, 32.0), "degrees Celsius became Fahrenheit"),
    (Change(1 / 1.8, -32.0 / 1.8), "degrees Fahrenheit became Celsius"),
    (Change(1 / 1.8, 273.15 - 32.0 / 1.8), "degrees Fahrenheit became kelvin"),
    (Change(1.0, 273.15), "degrees Celsius became kelvin"),
    (Change(1.0, -273.15), "kelvin became degrees Celsius"),
)
