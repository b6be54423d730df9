"""QR codes as SVG."""

import segno


def qr_path(text: str, side: float, left: float = 0, top: float = 0) -> str:
    """A path of black squares, `side` long, without the quiet zone around it."""
    made = segno.make(text, error="m", boost_error=False, micro=False)
    scale = side / made.symbol_size(border=0)[0]
    squares = "".join(
        f"M{column} {row}h1v1h-1z"
        for row, line in enumerate(made.matrix)
        for column, dark in enumerate(line)
        if dark
    )
    return f'<path transform="translate({left:g} {top:g}) scale({scale:.4f})" d="{squares}"/>'


def qr_picture(text: str, said: str) -> str:
    """A whole picture with its quiet zone; `said` is for those who cannot see it, as HTML text."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 216 216" role="img" '
        f'aria-label="{said}"><rect width="216" height="216" fill="#fff"/>'
        f"{qr_path(text, 180, 18, 18)}</svg>"
    )
