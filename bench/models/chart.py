"""A horizontal bar chart of ratios on a logarithmic axis, as SVG. Standard library only."""

import html
import math

_ROW, _LABEL, _PLOT, _TOP = 18, 190, 520, 46
_COLOURS = ("#2f6db5", "#d98324", "#4b9a5b", "#a05195")


def ratio_bars(title, series, names):
    """`series`: {legend: {name: ratio}}. Above 1 a bar goes right from the middle line, below 1 left."""
    values = [v for bars in series.values() for v in bars.values()]
    reach = max([2.0, *values, *(1 / v for v in values)]) * 1.1
    scale = _PLOT / 2 / math.log(reach)
    middle = _LABEL + _PLOT / 2
    group = _ROW * len(series) + 6
    height = _TOP + group * len(names) + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL + _PLOT + 60}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="18" font-size="14" font-weight="bold">{html.escape(title)}</text>']
    for i, legend in enumerate(series):
        x = 10 + i * 150
        out.append(f'<rect x="{x}" y="26" width="12" height="12" fill="{_COLOURS[i % 4]}"/>'
                   f'<text x="{x + 17}" y="36">{html.escape(legend)}</text>')
    ticks = sorted({t for p in (1, 2, 4, 8, 16, 32) for t in (p, 1 / p) if 1 / reach <= t <= reach})
    for tick in ticks:
        x = middle + math.log(tick) * scale
        out.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height - 28}" '
                   f'stroke="{"#333" if tick == 1 else "#ddd"}"/>'
                   f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{tick:g}x</text>')
    for row, name in enumerate(names):
        top = _TOP + 4 + row * group
        out.append(f'<text x="{_LABEL - 8}" y="{top + (group - 6) / 2 + 4:.0f}" text-anchor="end">{html.escape(name)}</text>')
        for i, bars in enumerate(series.values()):
            if name not in bars:
                continue
            length = math.log(bars[name]) * scale
            y = top + i * _ROW
            out.append(f'<rect x="{middle + min(length, 0):.1f}" y="{y}" width="{max(abs(length), 1):.1f}" '
                       f'height="{_ROW - 3}" fill="{_COLOURS[i % 4]}"/>')
            anchor, gap = ("start", 4) if length >= 0 else ("end", -4)
            out.append(f'<text x="{middle + length + gap:.1f}" y="{y + 12}" text-anchor="{anchor}" '
                       f'font-size="10">{bars[name]:.2f}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
