"""Pictures and their titles in, one picture with all of them in rows out."""

from collections.abc import Sequence

import numpy as np

from citygen.arraytypes import UInt8

PAPER = (244, 242, 237)
INK = (58, 56, 52)
GAP_PX = 10
MIN_TEXT_PX = 11


def contact_sheet(images: Sequence[UInt8], titles: Sequence[str], *, columns: int) -> UInt8:
    """
    Lay pictures out in rows, each with its title below.

    Parameters
    ----------
    images : sequence of (h, w, 3) uint8
        sRGB; smaller ones are centred in cells as large as the largest.
    titles : sequence of str
        One an image; a title too long for its cell is cut and ends in "...". May be empty strings.
    columns : int
        Pictures in a row, at least 1.

    Returns
    -------
    (h, w, 3) uint8
        sRGB.

    Raises
    ------
    ValueError
        Without images, when images and titles differ in number, when an image is none, or when `columns` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> contact_sheet([np.zeros((40, 60, 3), np.uint8)] * 3, ["a", "b", "c"], columns=2).shape
    (142, 150, 3)
    """
    if not images or len(images) != len(titles) or columns < 1:
        raise ValueError(f"need images, as many titles, and columns: {len(images)}, {len(titles)}, {columns}")
    for image in images:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"an image must be uint8 of shape (h, w, 3), not {image.dtype} of shape {image.shape}")
    from PIL import Image, ImageDraw, ImageFont

    high, wide = max(image.shape[0] for image in images), max(image.shape[1] for image in images)
    text = max(MIN_TEXT_PX, high // 18)
    band = text + GAP_PX // 2
    font = ImageFont.load_default(size=text)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (GAP_PX + columns * (wide + GAP_PX), GAP_PX + rows * (high + band + GAP_PX)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (image, title) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(number, columns)
        left, top = GAP_PX + column * (wide + GAP_PX), GAP_PX + row * (high + band + GAP_PX)
        sheet.paste(Image.fromarray(image), (left + (wide - image.shape[1]) // 2, top + (high - image.shape[0]) // 2))
        short = title
        while short and pen.textlength(short if short == title else f"{short}...", font=font) > wide:
            short = short[:-1]
        shown = title if short == title else f"{short}..."
        pen.text((left + wide / 2, top + high + band / 2), shown, font=font, fill=INK, anchor="mm")
    laid: UInt8 = np.asarray(sheet).copy()
    return laid
