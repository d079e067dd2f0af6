"""The book's style is legible on light and dark pages, and its tables read well."""

import itertools

import matplotlib
import numpy as np
import pytest

from invariant_nets.figures import INK, PALETTE, table, use_book_style

PAGES = ("#fffefc", "#1b1d23")  # the backgrounds of docs/assets/book.css
# Machado et al. (2009), severity 1: what a person without one type of cone sees, in linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def linear(color):
    s = np.array(matplotlib.colors.to_rgb(color))
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    dark, light = sorted(linear(color) @ [0.2126, 0.7152, 0.0722] for color in (a, b))
    return (light + 0.05) / (dark + 0.05)


def oklab(rgb):
    lms = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
    lab = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    return np.array(lab) @ np.cbrt(lms @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("color", [INK, *PALETTE])
def test_colors_stand_out_from_light_and_dark_pages(color, page):
    assert contrast(color, page) >= 3  # WCAG 1.4.11, graphical objects


@pytest.mark.parametrize("sight", SIGHT)
def test_colors_can_be_told_apart(sight):
    seen = [oklab(np.array(SIGHT[sight]) @ linear(color)) for color in PALETTE]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.07


def test_style_draws_in_ink_on_a_transparent_ground():
    with matplotlib.rc_context():
        use_book_style()
        colors = {
            key: value
            for key, value in matplotlib.rcParams.items()
            if key in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color")
        }
        assert set(colors.values()) == {INK}
        assert matplotlib.rcParams["figure.facecolor"] == "none"


def test_table_aligns_text_left_and_numbers_right():
    rows = [{"model": "MLP", "n": 12345, "error": -0.5}, {"model": "a & b", "n": 7, "error": 0.25}]
    result = table(rows, digits={"error": 1}, caption="What $x$ did")
    assert str(result).splitlines() == [
        "model       n  error",
        "MLP    12,345   −0.5",
        "a & b       7    0.2",
    ]
    markup = result._repr_html_()
    assert '<th scope="row" style="text-align: left">a &amp; b</th>' in markup
    assert '<td style="text-align: right">12,345</td>' in markup
    assert "<caption>What $x$ did</caption>" in markup


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "at least one row"),
        ([{"a": 1}, {"b": 2}], {}, "must all have the keys"),
        ([{"a": 1}], {"digits": {"b": 2}}, "must name columns"),
    ],
)
def test_table_refuses(rows, options, message):
    with pytest.raises(ValueError, match=message):
        table(rows, **options)
