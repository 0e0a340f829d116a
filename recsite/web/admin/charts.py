"""Coordinates of the charts that `admin/_charts.html` draws as SVG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recsite.storage.tables import ReachMeasure
from recsite.suggestions.quality.acceptance import Decile
from recsite.suggestions.quality.coverage import WIDESPREAD_SHARE

WIDTH, HEIGHT = 260, 130
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 26
"Margins around the plot in pixels, for the labels of the axes."
MARGIN_SHARE = 0.15
"Share of the range that stays free above and below the line, so that no mark touches the frame."
SIDE = 240
"Width and height of a calibration chart."
STARS = (0.5, 5.0)


@dataclass(frozen=True)
class Value:
    """One value of a line chart."""

    name: str
    value: float
    is_active: bool = False


@dataclass(frozen=True)
class Mark:
    """A point with its label."""

    x: float
    y: float
    text: str
    is_active: bool = False


@dataclass(frozen=True)
class Tick:
    """A grid line with its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A line chart, oldest value first."""

    key: str
    "Unique on the page; HTML ids are made from it."
    title: str
    hint: str
    "Text that says which direction is better."
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    first: str
    last: str

    @property
    def line(self) -> str:
        """The points of the line in SVG syntax."""
        return " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in self.marks)

    @property
    def says(self) -> str:
        """The chart as text for screen readers."""
        return "; ".join(mark.text for mark in self.marks)


def line_chart(key: str, title: str, hint: str, values: Sequence[Value], text_of: Callable[[float], str]) -> Chart:
    """Return the chart of these values, at least one, oldest first."""
    least, most = (pick(each.value for each in values) for pick in (min, max))
    margin = (most - least) * MARGIN_SHARE or abs(most) * MARGIN_SHARE or 1.0
    bottom, top = least - margin, most + margin

    def place(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM), 1)

    step = (WIDTH - LEFT - RIGHT) / max(1, len(values) - 1)
    start = LEFT if len(values) > 1 else (LEFT + WIDTH - RIGHT) / 2
    marks = tuple(
        Mark(round(start + i * step, 1), place(each.value), f"{each.name}: {text_of(each.value)}", each.is_active)
        for i, each in enumerate(values)
    )
    levels = (least, most) if most > least else (most,)
    ticks = tuple(Tick(place(level), text_of(level)) for level in levels)
    return Chart(key, title, hint, marks, ticks, values[0].name, values[-1].name)


def reach_charts(measures: Sequence[ReachMeasure]) -> list[Chart]:
    """Return the charts of these measurements, newest first; none for fewer than two."""
    if len(measures) < 2:
        return []
    oldest_first = [(f"{each.measured_at:%Y-%m-%d}", each) for each in reversed(measures)]
    return [
        line_chart(key, title, hint, [Value(day, getattr(each, key)) for day, each in oldest_first], "{:,.0f}".format)
        for key, title, hint in (
            ("suggested", "Movies in lists", "more is wider"),
            ("first_ten", "Movies in the first ten places", "more is wider"),
            ("widespread", f"Movies in over {WIDESPREAD_SHARE:.0%} of the lists", "less is more personal"),
        )
    ]


def calibration_marks(deciles: Sequence[Decile]) -> tuple[Mark, ...]:
    """Return the point of each decile: x is the mean prediction, y the mean rating given."""
    return tuple(
        Mark(
            star_place(each.mean_predicted),
            SIDE - star_place(each.mean_given),
            f"{each.mean_predicted:.2f} predicted, {each.mean_given:.2f} given ({each.rated} ratings)",
        )
        for each in deciles
    )


def star_place(stars: float) -> float:
    """Return the position of these stars along a side of the square, in pixels."""
    least, most = STARS
    return round((stars - least) / (most - least) * SIDE, 1)
