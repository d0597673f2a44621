"""The table's judged rows as one drawing: how many times as good as its goal each is, on a scale of doublings.

Knows: rows (table.py), SVG. Light or dark, as the page it is on.
"""
import math
from xml.sax.saxutils import escape

WIDTH, ROW, TOP, BOTTOM = 1260, 22, 62, 34
NAMES_END, AXIS, AXIS_END = 600, 612, 990  # names to the left of the axis, figures to the right
DOUBLINGS = (-2, 3)  # what is beyond stands at the end
STYLE = """<style>
text{fill:#1f2328}.dim{fill:#59636e}.grid{stroke:#8883;fill:none}.goal{stroke:#59636e;stroke-width:1.5}
.met{stroke:#2563eb;fill:#2563eb}.missed{stroke:#d9480f;fill:#d9480f}line{stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#9198a1}.goal{stroke:#9198a1}
.met{stroke:#6ea8fe;fill:#6ea8fe}.missed{stroke:#ff922b;fill:#ff922b}}
</style>"""


def across(times_goal):
    least, most = DOUBLINGS
    doublings = min(max(math.log2(times_goal), least), most)
    return AXIS + (doublings - least) / (most - least) * (AXIS_END - AXIS)


def text(x, y, content, anchor="start", kind=None, weight=None):
    attributes = "".join(f' {name}="{value}"' for name, value in (("class", kind), ("font-weight", weight)) if value)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(content)}</text>'


def scale(end_y):
    parts = []
    for doubling in range(DOUBLINGS[0], DOUBLINGS[1] + 1):
        x = across(2.0**doubling)
        kind = "goal" if doubling == 0 else "grid"
        label = "goal" if doubling == 0 else f"{2**doubling}×" if doubling > 0 else f"1/{2**-doubling}"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{end_y}"/>')
        parts.append(text(x, TOP - 16, label, "middle", "dim"))
    return parts


def drawn(row, y):
    x, goal_x = across(row.times_goal), across(1)
    kind = "met" if row.met else "missed"
    figure = row.shown.rsplit("; ", 1)[-1]  # of a series what is judged
    return [
        text(NAMES_END, y + 4, row.name.strip(), "end"),
        f'<line class="{kind}" x1="{goal_x:.1f}" y1="{y}" x2="{x:.1f}" y2="{y}"/>',
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y}" r="4.5"/>',
        text(AXIS_END + 16, y + 4, figure),
        text(WIDTH - 12, y + 4, row.goal, "end", "dim"),
    ]


def draw(rows, heading):
    """The text of the SVG."""
    judged = [row for row in rows if row.times_goal is not None]
    end_y = TOP + ROW * len(judged)
    parts = [text(12, 24, "Measured against the goals: to the right of the line is better", weight="bold")]
    parts += scale(end_y)
    for i, row in enumerate(judged):
        parts += drawn(row, TOP + ROW * i + ROW / 2)
    parts.append(text(12, end_y + 22, heading, kind="dim"))
    height = end_y + BOTTOM
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            'font-family="system-ui, sans-serif" font-size="12">',
            STYLE,
            *parts,
            "</svg>\n",
        ]
    )
