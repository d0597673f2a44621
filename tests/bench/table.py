"""The table that scripts/bench prints, and the rows that it is made of.

Knows: how a figure stands to its goal. Does not know: where figures come from.
"""
from typing import NamedTuple, Optional


class Row(NamedTuple):
    name: str
    shown: str = ""
    goal: str = ""
    times_goal: Optional[float] = None  # how many times as good as the goal: 1 just meets it. None: not judged

    @property
    def met(self):
        return None if self.times_goal is None else self.times_goal >= 1


def at_least(name, value, goal, shown=None):
    """Value None: it could not be measured here."""
    if value is None:
        return Row(name, goal=f">= {goal:,}")
    return Row(name, shown or f"{value:.3f}", f">= {goal:,}", value / goal)


def at_most(name, value, goal, shown=None, unit=""):
    if value is None:
        return Row(name, goal=f"<= {goal:,}{unit}")
    return Row(name, shown or f"{value:,.0f}{unit}", f"<= {goal:,}{unit}", goal / max(value, goal / 1000))


NAME_MAX, SHOWN_MAX = 70, 44  # a longer row is one of two lines


def print_table(rows, heading):
    print(heading)
    cells = [("", "measured", "goal", "met")]
    cells += [(row.name, row.shown, row.goal, {True: "yes", False: "NO", None: ""}[row.met]) for row in rows]
    fitting = [row for row in cells if len(row[0]) <= NAME_MAX and len(row[1]) <= SHOWN_MAX]
    widths = [max(len(row[i]) for row in (fitting if i < 2 else cells)) for i in range(4)]
    both = widths[0] + 2 + widths[1]
    for name, measured, goal, met in cells:
        if len(name) > widths[0] or len(measured) > widths[1]:
            print(name)
            figures = f"{measured:>{both}}"
        else:
            figures = f"{name:<{widths[0]}}  {measured:>{widths[1]}}"
        print(f"{figures}  {goal:>{widths[2]}}  {met}".rstrip())
