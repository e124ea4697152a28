"""readings_model.py - what the queries must answer, said once more in Python, the plainest way.

    model = Model(names)                    # the content of series.json, as a dictionary
    model.add(record)                       # 12 bytes; what stands already is passed over
    model.range(edges, "mean", unit="C")    # {series id: {"temperature": {"mean": [...]}}}

Every question looks at all readings; numbers are fractions until they are rounded once. Values are
Decimals, to be compared with answers read with json.loads(text, parse_float=Decimal).
"""
import bisect
import datetime
import decimal
import fractions
import zoneinfo

from support import sensor

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
QUANTITIES = ("temperature", "humidity")
STALE_MS = 7200000


# ---- Numbers ----

def rounded(number, places):
    """A fraction to so many decimals, half away from zero."""
    scaled = abs(number) * 10**places
    whole = int(scaled + fractions.Fraction(1, 2))
    return decimal.Decimal(whole if number >= 0 else -whole).scaleb(-places)


def degrees(fiftieths, unit):
    return fractions.Fraction(fiftieths, 50) if unit == "F" \
        else (fractions.Fraction(fiftieths) - 1600) / 90


def shown(quantity, value, unit, places=2):
    if value is None:
        return None
    return rounded(degrees(value, unit) if quantity == "temperature" else fractions.Fraction(value),
                   places)


# ---- Edges ----

def point_edges(start, end, points):
    points = min(points, end - start)
    return [start + i * (end - start) // points for i in range(points + 1)]


def milliseconds(moment):
    return int((moment - EPOCH) / datetime.timedelta(milliseconds=1))


def local_date(zone, ms):
    return (EPOCH + datetime.timedelta(milliseconds=ms)).astimezone(zoneinfo.ZoneInfo(zone)).date()


def begin_of(zone, date):
    return milliseconds(datetime.datetime(date.year, date.month, date.day,
                                          tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC))


def next_begin(kind, date):
    if kind == "day":
        return date + datetime.timedelta(days=1)
    if kind == "week":
        return date + datetime.timedelta(days=7 - date.weekday())
    return datetime.date(date.year + date.month // 12, date.month % 12 + 1, 1)


def hour_edges(start, end, zone):
    edges, name = [], zoneinfo.ZoneInfo(zone)

    def local_hour(ms):
        local = (EPOCH + datetime.timedelta(milliseconds=ms)).astimezone(name)
        return local.utcoffset(), local.replace(tzinfo=None, minute=0, second=0, microsecond=0)
    minute = start - start % 60000 + 60000
    last = local_hour(start)
    while minute < end:  # every minute of it, since that is how fine offsets are nowadays
        if local_hour(minute) != last:
            edges.append(minute)
            last = local_hour(minute)
        minute += 60000
    return [start] + edges + [end]


def calendar_edges(start, end, kind, zone):
    if kind == "hour":
        return hour_edges(start, end, zone)
    edges, date = [start], local_date(zone, start)
    while True:
        date = next_begin(kind, date)
        moment = begin_of(zone, date)
        if moment >= end:
            return edges + [end]
        if moment > edges[-1]:
            edges.append(moment)


# ---- Readings ----

class Model:
    def __init__(self, names=None, stale_ms=STALE_MS):
        self.named = (names or {"series": []})["series"]
        self.stale_ms = stale_ms
        self.records = {}  # identity to record

    def add(self, record):
        self.records.setdefault(sensor.identity(record), record)

    def sorted(self, with_suspect=False):
        """[(record, fields, series id)] in the order of the bytes."""
        found = []
        for record in sorted(self.records.values()):
            fields = sensor.decode(record)
            if with_suspect or fields["time_quality"] != sensor.SUSPECT:
                found.append((record, fields, self.series_of(fields)))
        return found

    def series_of(self, fields):
        channel, code = fields["channel_minus_1"] + 1, fields["rolling_code"]
        for series in self.named:
            for window in series["transmitters"]:
                if (window["channel"], window["rolling_code"]) == (channel, code) and \
                        self.bounds(window)[0] <= fields["time_ms"] < self.bounds(window)[1]:
                    return series["id"]
        return f"{channel}-{code}"

    @staticmethod
    def bounds(window):
        def moment(text, default):
            return default if text is None else \
                milliseconds(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")))
        return moment(window["from"], 0), moment(window["to"], 1 << 62)

    def about(self, series):
        return next((s for s in self.named if s["id"] == series), {})

    def limit_of(self, series):
        return self.about(series).get("stale_after_s", self.stale_ms // 1000) * 1000

    def unit_of(self, series, unit=None):
        return unit or self.about(series).get("unit", "F")

    @staticmethod
    def value_of(fields, quantity):
        """Fiftieths of a degree Fahrenheit, or percent; None where there is none."""
        if quantity == "humidity":
            return None if fields["humidity"] == sensor.HUMIDITY_ABSENT else fields["humidity"]
        if fields["raw"] == sensor.RAW_ABSENT:
            return None
        return 5 * (fields["raw"] - 400) if fields["scale"] == 0 \
            else 9 * (fields["raw"] - 1000) + 1600

    def tracks(self, with_suspect=False):
        """{(series, quantity): [(time, value)]} in order."""
        found = {}
        for _, fields, series in self.sorted(with_suspect):
            for quantity in QUANTITIES:
                value = self.value_of(fields, quantity)
                if value is not None:
                    found.setdefault((series, quantity), []).append((fields["time_ms"], value))
        return found

    # ---- Buckets ----

    def range(self, edges, function, unit=None, with_suspect=False, wanted=None, always=()):
        """{series id: {quantity: {member: [values]}}}; series with nothing are left out, but those
        in `always` are not."""
        answer = {}
        for (series, quantity), points in self.tracks(with_suspect).items():
            if wanted is not None and series not in wanted:
                continue
            cells = self._cells(points, edges, self.limit_of(series))
            if any(cells) or series in always:
                answer.setdefault(series, {})[quantity] = cells
        for series in always:
            answer.setdefault(series, {})
        empty = [None] * (len(edges) - 1)
        return {series: {quantity: self._columns(found.get(quantity, empty), function, quantity,
                                                 self.unit_of(series, unit))
                         for quantity in QUANTITIES} for series, found in answer.items()}

    @staticmethod
    def _cells(points, edges, limit):
        times = [time for time, _ in points]
        cells = []
        for start, end in zip(edges, edges[1:]):
            low, high = bisect.bisect_left(times, start), bisect.bisect_left(times, end)
            inside = points[low:high]
            covered = integral = 0
            for i in range(max(low - 1, 0), high):
                until = times[i] + limit
                if i + 1 < len(points):
                    until = min(until, times[i + 1])
                span = min(until, end) - max(times[i], start)
                if span > 0:
                    covered += span
                    integral += span * points[i][1]
            held = low > 0 and times[low - 1] + limit > start
            if not inside and not held:
                cells.append(None)
                continue
            if not inside:
                inside = [(start, points[low - 1][1])]
            least, most = min(v for _, v in inside), max(v for _, v in inside)
            mean = fractions.Fraction(integral, covered) if covered else inside[-1][1]
            cells.append({
                "first": inside[0][1], "last": inside[-1][1], "min": least, "max": most,
                "first_ms": inside[0][0] - start, "last_ms": inside[-1][0] - start,
                "min_ms": next(t for t, v in inside if v == least) - start,
                "max_ms": next(t for t, v in inside if v == most) - start,
                "mean": mean, "coverage": fractions.Fraction(covered, end - start)})
        return cells

    @staticmethod
    def _columns(cells, function, quantity, unit):
        members = {"m4": ("first", "last", "min", "max", "first_ms", "last_ms", "min_ms", "max_ms"),
                   "mean": ("mean", "coverage"), "min": ("min", "min_ms"), "max": ("max", "max_ms")}

        def one(cell, member):
            if member == "coverage":
                return rounded(cell[member], 3) if cell else 0
            if cell is None or member.endswith("_ms"):
                return cell and cell[member]
            return shown(quantity, cell[member], unit, 3 if member == "mean" else 2)
        return {member: [one(cell, member) for cell in cells] for member in members[function]}

    def raw(self, start, end, unit=None, with_suspect=False, wanted=None):
        answer = {}
        for (series, quantity), points in self.tracks(with_suspect).items():
            inside = [(t, v) for t, v in points if start <= t < end]
            if inside and (wanted is None or series in wanted):
                answer.setdefault(series, {})[quantity] = {
                    "time": [t for t, _ in inside],
                    "value": [shown(quantity, v, self.unit_of(series, unit)) for _, v in inside]}
        return answer
