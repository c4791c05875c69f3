"""Pictures of what was found, by matplotlib, as SVG.  Equal results give
equal bytes."""
import matplotlib
from matplotlib import ticker
from matplotlib.figure import Figure

from driver.rows import human_bytes, human_value

STYLE = {
    "svg.hashsalt": "vitrine",
    "svg.fonttype": "none",  # Text stays text: small files, to be searched.
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
}

# What the machine gives; no store is to be faster.
LIMITS = ("memcpy", "bare tmpfs", "futex")
OURS, LIMIT = "#0b5fa5", "#333333"
COLORS = {
    "plasma": "#d1495b", "vineyard": "#e08e0b", "shared memory": "#66a182",
    "file on tmpfs": "#8d6a9f", "iceoryx2": "#0f9c9c", "eventfd": "#9a6a1e",
    "bindfs": "#b5179e",
}
OTHER = "#7a7a7a"


def role_of(peer):
    """"ours", "limit" or "other"; "bare tmpfs, 1000 objects" is a limit."""
    name = peer.split(",")[0]
    if name == "vitrine":
        return "ours"
    return "limit" if name in LIMITS else "other"


def color_of(peer):
    fixed = {"ours": OURS, "limit": LIMIT}
    return fixed.get(role_of(peer)) or COLORS.get(
        peer.removesuffix(" (Python)"), OTHER)


def line_style(peer):
    """Vitrine is thick, the limit dashed, the others thin; a Python client is
    paler than the C++ client of the same peer."""
    style = {"ours": {"linewidth": 3.5, "zorder": 4, "markersize": 6},
             "limit": {"linewidth": 1.5, "linestyle": "--", "zorder": 3},
             "other": {"linewidth": 1.0, "markersize": 3}}[role_of(peer)]
    return {"marker": "o", "markersize": 3, "color": color_of(peer),
            "alpha": 0.5 if peer.endswith("(Python)") else 1, **style}


def bar_style(peer, pinned):
    alpha = 0.4 if pinned else 1
    if role_of(peer) == "limit":
        return {"fill": False, "edgecolor": LIMIT, "linestyle": "--",
                "alpha": alpha, "height": 0.36}
    return {"color": color_of(peer), "alpha": alpha,
            "height": 0.44 if role_of(peer) == "ours" else 0.26}


def axis_time(nanoseconds, _position=None):
    return human_value(nanoseconds, "ns").replace(".00 ", " ").replace(
        ".0 ", " ")


# --- Lines ------------------------------------------------------------------


def points_of(rows, workload, case, x_key, to_y):
    """{peer: [(x, y)]}, unpinned."""
    points = {}
    for (name, _), peers in rows.rows.items():
        for peer, modes in peers.items():
            result = modes.get(False)
            if name == workload and result and result["case"] == case and \
                    result["median"] > 0:
                points.setdefault(peer, []).append(
                    (result[x_key], to_y(result)))
    return {peer: sorted(found) for peer, found in points.items()}


def draw_lines(points, title, x_label, y_label, x_text):
    """Over a logarithmic axis; (figure, axes), or None if there is nothing to
    draw."""
    if not points:
        return None
    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for peer, found in points.items():
        axes.plot(*zip(*found), label=peer, **line_style(peer))
    axes.set(title=title, xlabel=x_label, ylabel=y_label, xscale="log")
    ticks = sorted({x for found in points.values() for x, _ in found})
    axes.set_xticks(ticks, [x_text(x) for x in ticks])
    axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure, axes


def draw_put(rows, case):
    drawn = draw_lines(
        points_of(rows, "put", case, "size_bytes",
                  lambda result: result["size_bytes"] / result["median"]),
        f"Create + write + seal, {case}, unpinned", "size of the object",
        "GB/s", human_bytes)
    if drawn is None:
        return None
    figure, axes = drawn
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.tick_params(axis="x", rotation=30)
    return figure


def draw_crowd(rows):
    drawn = draw_lines(
        points_of(rows, "crowd", "bytes sealed", "pairs",
                  lambda result: result["median"]),
        "Producers and consumers, more data than fits, unpinned",
        "pairs of processes", "GB/s sealed", str)
    if drawn is None:
        return None
    figure, axes = drawn
    axes.set_ylim(bottom=0)
    return figure


# --- Bars -------------------------------------------------------------------


def groups_of(rows, workload, wanted):
    """[(row, {peer: {pinned: result}})] of times."""
    return [(row, peers) for (name, row), peers in rows.rows.items()
            if name == workload and wanted(row) and all(
                result["unit"] == "ns" and result["low"] > 0
                for modes in peers.values() for result in modes.values())]


def place_bars(groups):
    """[(y, row)], [(y, peer, {pinned: result})], from the top down."""
    titles, bars, y = [], [], 0
    for row, peers in groups:
        titles.append((y, row))
        y += 1
        for peer, modes in peers.items():
            bars.append((y, peer, modes))
            y += 1
        y += 0.4
    return titles, bars


def draw_bar(axes, y, peer, modes):
    """Unpinned above pinned; the thin line is the middle half."""
    for pinned, result in sorted(modes.items()):
        middle = y if len(modes) == 1 else y + (0.22 if pinned else -0.22)
        median = result["median"]
        axes.barh(middle, median, xerr=[[median - result["low"]],
                                        [result["high"] - median]],
                  error_kw={"elinewidth": 1}, **bar_style(peer, pinned))


def draw_bars(rows, workload, title, wanted=lambda row: True):
    groups = groups_of(rows, workload, wanted)
    if not groups:
        return None
    titles, bars = place_bars(groups)
    last = bars[-1][0]
    figure = Figure(figsize=(8.4, 1 + 0.21 * last), layout="constrained")
    axes = figure.subplots()
    for bar in bars:
        draw_bar(axes, *bar)
    axes.set(title=f"{title} (full: unpinned; pale: pinned)", xscale="log",
             ylim=(last + 0.7, -0.7))
    axes.xaxis.set_major_formatter(axis_time)
    axes.grid(axis="y", visible=False)
    label_bars(axes, titles, bars)
    return figure


def label_bars(axes, titles, bars):
    labels = sorted([*titles, *((y, peer) for y, peer, _ in bars)])
    axes.set_yticks([y for y, _ in labels], [text for _, text in labels])
    axes.tick_params(axis="y", length=0)
    rows = {y for y, _ in titles}
    for (y, text), label in zip(labels, axes.get_yticklabels()):
        if y in rows or role_of(text) == "ours":
            label.set_fontweight("bold")
        if y not in rows:
            label.set_color(color_of(text))


# --- All of them ------------------------------------------------------------

PICTURES = {
    "get": lambda rows: draw_bars(rows, "get", "Get of 1 KiB",
                                  lambda row: row.endswith("(1 KiB)")),
    "put-first": lambda rows: draw_put(rows, "first"),
    "put-steady": lambda rows: draw_put(rows, "steady"),
    "handover": lambda rows: draw_bars(rows, "handover", "Hand-over"),
    "crowd": draw_crowd,
    "files": lambda rows: draw_bars(rows, "files", "Plain files"),
    "scale": lambda rows: draw_bars(rows, "scale", "Many objects"),
}


def draw(path, picture, rows):
    """False, and no file, if nothing was measured."""
    with matplotlib.rc_context(STYLE):
        figure = picture(rows)
        if figure is not None:
            # A date or a version would differ between equal pictures.
            figure.savefig(path, metadata={"Date": None, "Creator": None})
    return figure is not None


def write_all(directory, by_store):
    """`by_store`: {kind of store: Rows}.  Returns the names of the files."""
    directory.mkdir(exist_ok=True)
    for old in directory.glob("*.svg"):
        old.unlink()
    names = []
    for store, rows in by_store.items():
        suffix = "" if store == "service" else f"-{store}"
        for name, picture in PICTURES.items():
            path = directory / f"{name}{suffix}.svg"
            if draw(path, picture, rows):
                names.append(path.name)
    return names
