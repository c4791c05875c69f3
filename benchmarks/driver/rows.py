"""What was found, by rows of the tables, and how a figure is written."""
import statistics


def human_bytes(count):
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} B"


def human_value(value, unit):
    if unit == "ns":
        for name, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
            if value >= size:
                return f"{three_digits(value / size)} {name}"
        return f"{three_digits(value)} ns"
    return f"{three_digits(value)} {unit}"


def three_digits(value):
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def what(result):
    parts = [result["case"]]
    if result["workload"] == "scale" and result.get("of") not in (
            "fill", "scale", "files"):
        parts.insert(0, f"{result['of']}:")
    if result["size_bytes"] and result["workload"] in ("get", "put", "files",
                                                       "scale", "floors"):
        parts.append(f"({human_bytes(result['size_bytes'])})")
    if "pairs" in result:
        pairs = result["pairs"]
        parts.append(f"({pairs} pair{'s' if pairs > 1 else ''})")
    return " ".join(parts)


def summarize(values):
    """The median, and the range of the middle half."""
    values = sorted(values)
    if len(values) >= 4:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    else:
        low, high = values[0], values[-1]
    return {"median": statistics.median(values), "low": low, "high": high}


class Rows:
    """{(workload, what): {peer: {pinned: result}}}, in order: what was found
    of one kind of store, and of peers that have nothing to do with it."""

    def __init__(self, results, store):
        self.rows = {}
        for result in results:
            if result.get("store", store) != store:
                continue
            peers = self.rows.setdefault(
                (result["workload"], what(result)), {})
            result = {**result, **summarize(result["values"])}
            peers.setdefault(result["peer"], {})[result["pinned"]] = result

    def median(self, workload, row, peer, pinned=False):
        found = self.rows.get((workload, row), {}).get(peer, {}).get(pinned)
        return found["median"] if found else None


def by_store(data):
    """{kind of store: Rows} of what a run saves."""
    return {kind: Rows(data["results"], kind) for kind in data["stores"]}
