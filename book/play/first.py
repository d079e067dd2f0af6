"""Draws the picture of the first minute: a set whose rows are shuffled, and two trained networks.

    python -m book.play.first

writes it into `docs/assets`, for light and for dark pages. The networks are trained here, and the
places of their dots are their logits. It moves once, unless the reader wants less motion, and ends
as the picture that is seen where nothing moves.
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from invariant_nets.comparison.models import MODELS

N, D = 10, 5
FOLDER = Path(__file__).parents[2] / "docs" / "assets"
# Of docs/assets/book.css: the ink, what is faint, the dots, and a color for each column.
SCHEMES = {
    "light": ["#23262d", "#c9cbd1", "#1a56a8", "#1a56a8 #b0470a #1d6f42 #8a3ba0 #5a5f6a"],
    "dark": ["#dcdee4", "#4b505b", "#8db8f5", "#8db8f5 #f5a265 #8fcfa5 #d3a0e3 #a4a9b4"],
}
WIDTH, HEIGHT, TOP, ROW, COLUMN = 480, 330, 40, 16, 28
LEFT, RIGHT = 40, 300  # where the two matrices begin
AXES = {"mlp": 256, "deep-sets": 312}
WORDS = {"mlp": "A perceptron answers differently.", "deep-sets": "A network for sets does not."}
MOTION = """
@media (prefers-reduced-motion: no-preference) {
  .moves { animation: move 1.8s ease-in-out 1.2s backwards }
  .comes { animation: come 0.6s 3s backwards }
}
@keyframes move { from { transform: translate(var(--x, 0), var(--y, 0)) } }
@keyframes come { from { opacity: 0 } }"""


def trained(name: str, steps: int = 200) -> nn.Module:
    """Returns a model of the registry after some steps on the sets of chapter 2, new in each."""
    source = torch.Generator().manual_seed(0)
    y = (torch.arange(128) % 2).double()[:, None]
    spread = torch.where(y == 1, math.sqrt(0.8), 1.0)[..., None]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MODELS[name].build(N, D).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        x = torch.randn(128, N, D, generator=source, dtype=torch.float64) * spread
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval()


def drawn() -> tuple[Tensor, Tensor, dict[str, tuple[float, float]]]:
    """Returns a set, an order of its rows, and the logits of two networks before and after."""
    source = torch.Generator().manual_seed(2)
    x = torch.randn(N, D, generator=source, dtype=torch.float64)
    order = torch.randperm(N, generator=source)
    logits = {}
    for name in AXES:
        model = trained(name)
        with torch.no_grad():
            before, after = (model(rows[None]).item() for rows in (x, x[order]))
        logits[name] = before, after
    return x, order, logits


def picture(x: Tensor, order: Tensor, logits: dict[str, tuple[float, float]], scheme: str) -> str:
    """Returns the drawing for light or for dark pages."""
    ink, faint, blue, colors = SCHEMES[scheme]
    inks = colors.split()

    def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
        return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{words}</text>'

    def row(left: float, place: int, entries: Tensor) -> str:
        middle = TOP + (place + 0.5) * ROW
        bars = [f'<path d="M{left:g} {middle:g}h{D * COLUMN}" stroke="{faint}"/>']
        for j, entry in enumerate(entries.tolist()):
            size = max(-1.0, min(1.0, entry / 1.8)) * (ROW - 1) / 2
            at = left + (j + 0.2) * COLUMN
            top = middle - max(size, 0.0)
            shape = f'width="{0.6 * COLUMN:.1f}" height="{abs(size):.1f}"'
            bars.append(f'<rect x="{at:.1f}" y="{top:.1f}" {shape} fill="{inks[j]}"/>')
        return "".join(bars)

    parts = [text(LEFT + 70, 24, "A set, row by row"), text(RIGHT + 70, 24, "its rows, shuffled")]
    for place, old in enumerate(order.tolist()):
        a, b = (TOP + (at + 0.5) * ROW for at in (old, place))
        way = f"M{LEFT + 146} {a:g}C{LEFT + 206} {a:g} {RIGHT - 66} {b:g} {RIGHT - 6} {b:g}"
        parts.append(f'<path class="comes" d="{way}" fill="none" stroke="{faint}"/>')
        parts.append(f"<g>{row(LEFT, place, x[place])}</g>")
        moved = row(RIGHT, place, x[old])
        parts.append(f'<g class="moves" style="--y: {(old - place) * ROW}px">{moved}</g>')
    end = 1.2 * max(abs(logit) for pair in logits.values() for logit in pair)
    for name, (before, after) in logits.items():
        y = AXES[name]
        a, b = (round(WIDTH / 2 + 200 * logit / end) for logit in (before, after))
        parts.append(text(LEFT, y - 16, WORDS[name], "start"))
        parts.append(f'<path d="M40 {y}H440M240 {y - 5}v10" stroke="{faint}"/>')
        parts.append(f'<path class="comes" d="M{a} {y}H{b}" stroke="{blue}" stroke-width="2"/>')
        parts.append(f'<circle cx="{a}" cy="{y}" r="6" fill="none" stroke="{ink}"/>')
        motion = f'class="moves" style="--x: {a - b}px"'
        parts.append(f'<circle {motion} cx="{b}" cy="{y}" r="6" fill="{blue}"/>')
    style = f"text {{ font: 16px 'Source Sans 3', system-ui, sans-serif; fill: {ink} }}{MOTION}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    return "\n".join([f"{head} {size}>", f"<style>{style}</style>", *parts, "</svg>", ""])


def main() -> None:
    """Writes both drawings."""
    found = drawn()
    for scheme in SCHEMES:
        (FOLDER / f"first-{scheme}.svg").write_text(picture(*found, scheme))


if __name__ == "__main__":
    main()
