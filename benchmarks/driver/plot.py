"""Plots as SVG, written by hand: no library is needed."""
import html
import math

from driver import report

COLORS = ["#1b6ca8", "#d1495b", "#edae49", "#66a182", "#8d6a9f", "#5c6b73",
          "#2e4057", "#c08552", "#9a031e", "#0f4c5c"]
FONT = 'font-family="sans-serif" font-size="12"'


def color_of(peers, peer):
    return COLORS[peers.index(peer) % len(COLORS)]


def text(x, y, words, anchor="start", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT} '
            f'{extra}>{html.escape(words)}</text>')


def line(x1, y1, x2, y2, color, width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{color}" stroke-width="{width}"/>')


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
            f'height="{height:.0f}">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


class LogScale:
    """Decades on an axis from `start` to `end`."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.start, self.end = start, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def decades(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def axis_time(nanoseconds):
    return report.human_value(nanoseconds, "ns").replace(".00 ", " ").replace(
        ".0 ", " ")


def found_of(rows, workload, unit):
    """[(what, [(peer, {pinned: result})])] with positive figures."""
    found = []
    for (name, row), peers in rows.rows.items():
        kept = [(peer, modes) for peer, modes in peers.items() if all(
            r["unit"] == unit and r["low"] > 0 for r in modes.values())]
        if name == workload and kept:
            found.append((row, kept))
    return found


def bars(rows, workload, title):
    """Unpinned full, pinned pale; the thin line is the middle half."""
    groups = found_of(rows, workload, "ns")
    if not groups:
        return None
    results = [r for _, peers in groups for _, modes in peers
               for r in modes.values()]
    scale = LogScale([v for r in results for v in (r["low"], r["high"])],
                     220, 780)
    peers = list(dict.fromkeys(p for _, found in groups for p, _ in found))
    parts, y = [text(12, 22, title, extra='font-weight="bold"'),
                text(790, 22, "full: unpinned; pale: pinned", "end")], 40
    top = y
    for row, found in groups:
        y += 18
        parts.append(text(12, y, row, extra='font-weight="bold"'))
        for peer, modes in found:
            y += 6
            parts.append(text(212, y + 9, peer, "end"))
            for pinned, result in sorted(modes.items()):
                parts += bar(scale, y, result, color_of(peers, peer), pinned)
                y += 9
    grid = []
    for value in scale.decades():
        x = scale.at(value)
        grid.append(line(x, top, x, y + 8, "#dddddd"))
        grid.append(text(x, y + 22, axis_time(value), "middle"))
    return svg(840, y + 36, grid + parts)


def bar(scale, y, result, color, pinned):
    end, low, high = (scale.at(result[key]) for key in
                      ("median", "low", "high"))
    opacity = 0.45 if pinned else 1
    return [f'<rect x="{scale.start}" y="{y:.1f}" '
            f'width="{max(1, end - scale.start):.1f}" height="8" '
            f'fill="{color}" opacity="{opacity}"/>',
            line(low, y + 4, high, y + 4, "black", 1.5)]


def lines(points, title, x_name, y_name, x_text, y_text):
    """`points`: {peer: [(x, y)]}, unpinned; both axes logarithmic."""
    points = {peer: sorted(found) for peer, found in points.items() if found}
    if not points:
        return None
    every = [point for found in points.values() for point in found]
    across = LogScale([x for x, _ in every], 90, 590)
    across.low = math.log10(min(x for x, _ in every)) - 0.05
    across.high = math.log10(max(x for x, _ in every)) + 0.05
    last_x = 0
    up = LogScale([y for _, y in every], 380, 50)
    parts = [text(12, 22, title, extra='font-weight="bold"'),
             text(340, 432, x_name, "middle"), text(12, 42, y_name)]
    for value in up.decades():
        y = up.at(value)
        parts += [line(90, y, 590, y, "#dddddd"),
                  text(84, y + 4, y_text(value), "end")]
    for value in sorted({x for x, _ in every}):
        x = across.at(value)
        # The second of two labels that would meet stands lower.
        y = 412 if x - last_x < 52 else 396
        last_x = 0 if y == 412 else x
        parts += [line(x, 50, x, 380, "#eeeeee"),
                  text(x, y, x_text(value), "middle")]
    peers = list(points)
    for i, (peer, found) in enumerate(points.items()):
        color = color_of(peers, peer)
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}"
                        for x, y in found)
        parts += [f'<polyline points="{path}" fill="none" stroke="{color}" '
                  f'stroke-width="2"/>',
                  line(610, 60 + 18 * i, 630, 60 + 18 * i, color, 3),
                  text(636, 64 + 18 * i, peer)]
        parts += [f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" '
                  f'r="3" fill="{color}"/>' for x, y in found]
    return svg(840, 440, parts)


def points_of(results, case, x_key, to_y):
    points = {}
    for result in results:
        if result["case"] == case and not result["pinned"] and \
                result["workload"] in ("put", "crowd"):
            median = report.summarize(result["values"])["median"]
            if median > 0:
                points.setdefault(result["peer"], []).append(
                    (result[x_key], to_y(result, median)))
    return points


def put_plot(results, case):
    return lines(
        points_of(results, case, "size_bytes",
                  lambda r, median: r["size_bytes"] / median * 1e9),
        f"Create + write + seal, {case}, unpinned", "size of the object",
        "bytes a second", report.human_bytes,
        lambda value: f"{value:.0e}".replace("e+0", "e"))


def crowd_plot(results):
    return lines(
        points_of(results, "bytes sealed", "pairs", lambda r, median: median),
        "Producers and consumers, more data than fits, unpinned",
        "pairs of processes", "GB sealed a second", str,
        lambda value: f"{value:g}")


def write_all(directory, data, rows):
    """Returns the names of the files."""
    results = data["results"]
    plots = {
        "get": bars(rows, "get", "Get"),
        "put-first": put_plot(results, "first"),
        "put-steady": put_plot(results, "steady"),
        "handover": bars(rows, "handover", "Hand-over"),
        "crowd": crowd_plot(results),
        "files": bars(rows, "files", "Plain files"),
        "scale": bars(rows, "scale", "Many objects"),
    }
    names = []
    for name, plot in plots.items():
        path = directory / f"{name}.svg"
        if plot is None:
            path.unlink(missing_ok=True)
            continue
        path.write_text(plot, encoding="utf-8")
        names.append(path.name)
    return names
