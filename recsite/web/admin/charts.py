"""Where the marks of a chart stand; `admin/_charts.html` draws them as SVG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recsite.storage.tables import ReachMeasure
from recsite.suggestions.quality.acceptance import Decile

WIDTH, HEIGHT = 260, 130
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 26
"Room around the plot, for the labels of the axes."
MARGIN_SHARE = 0.15
"Of the range, above and below the line, so that no mark touches the frame."
SIDE = 240
"Of a calibration chart, which is a square."
STARS = (0.5, 5.0)


@dataclass(frozen=True)
class Value:
    """What a chart shows of one version."""

    name: str
    value: float
    is_active: bool = False


@dataclass(frozen=True)
class Mark:
    """A point with what it says."""

    x: float
    y: float
    text: str
    is_active: bool = False


@dataclass(frozen=True)
class Tick:
    """A line of the grid with its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """One line over the versions, from the oldest to the newest."""

    key: str
    "Unique on the page, for ids."
    title: str
    hint: str
    "What is better, in words."
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    first: str
    last: str

    @property
    def line(self) -> str:
        """The points of the line as SVG takes them."""
        return " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in self.marks)

    @property
    def says(self) -> str:
        """The chart in words."""
        return "; ".join(mark.text for mark in self.marks)


def line_chart(key: str, title: str, hint: str, values: Sequence[Value], text_of: Callable[[float], str]) -> Chart:
    """The chart of at least one value, the oldest first."""
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
    """What was measured of reach, which comes with the newest first; none of fewer than two measures."""
    if len(measures) < 2:
        return []
    oldest_first = [(f"{each.measured_at:%Y-%m-%d}", each) for each in reversed(measures)]
    return [
        line_chart(key, title, hint, [Value(day, getattr(each, key)) for day, each in oldest_first], "{:,.0f}".format)
        for key, title, hint in (
            ("suggested", "Movies in lists", "more is wider"),
            ("first_ten", "Movies in the first ten places", "more is wider"),
            ("widespread", "Movies in over 30% of the lists", "less is more personal"),
        )
    ]


def calibration_marks(deciles: Sequence[Decile]) -> tuple[Mark, ...]:
    """Each tenth where its prediction (to the right) meets what was given (upward)."""
    return tuple(
        Mark(
            star_place(each.mean_predicted),
            SIDE - star_place(each.mean_given),
            f"{each.mean_predicted:.2f} predicted, {each.mean_given:.2f} given ({each.rated} ratings)",
        )
        for each in deciles
    )


def star_place(stars: float) -> float:
    """How far along a side of the square these stars stand."""
    least, most = STARS
    return round((stars - least) / (most - least) * SIDE, 1)
