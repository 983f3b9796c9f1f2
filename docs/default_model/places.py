"""Sort chips into places by look: ``python docs/default_model/places.py FOLDER OUT``.

Chips of one place share camera, season and ground, so their colours and textures are alike. Each group
becomes a list of names, ``OUT/group-K.txt``, and a contact sheet, ``OUT/group-K.jpg``. The lists in
``places/`` began as such groups, 18 for each size of chip; the sheets were looked at, what was wrong was
moved, groups of one look were joined and named.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

STRIDE = 3
"""Every so many rows and columns is enough for statistics of colours."""
BLACK = 0.06
"""Sum of three channels up to which a pixel is padding."""
TILE, COLUMNS = 110, 14
"""Of a contact sheet: side of a picture in pixels, and pictures in a row."""

Values = npt.NDArray[np.float64]


def features(image: Path, mask: Path) -> Values:
    """Colour and texture statistics of the ground of a chip; buildings and black padding are left out.

    Args:
        image: RGB.
        mask: 0 where there is no building.

    Returns:
        One row: quantiles and correlations of colours, and contrasts of neighbouring pixels at three scales.
    """
    pixels = np.asarray(Image.open(image).convert("RGB"), np.float64) / 255
    ground = (np.asarray(Image.open(mask).convert("L")) < 128) & (pixels.sum(2) > BLACK)
    seen = pixels[::STRIDE, ::STRIDE][ground[::STRIDE, ::STRIDE]]
    if len(seen) < 100:
        return np.zeros(27)
    opponent = seen @ np.array([[1, 1, 1], [1, -1, 0], [0.5, 0.5, -1]]).T / 3
    colours = np.quantile(opponent, (0.05, 0.25, 0.5, 0.75, 0.95), axis=0).ravel()
    spread = np.nan_to_num(np.corrcoef(seen.T)[np.triu_indices(3, 1)])
    return np.concatenate([colours, spread, _contrasts(pixels.mean(2))])


def _contrasts(grey: Values) -> Values:
    """Logarithms of mean differences of neighbours, across and down, and of large ones, at three scales."""
    found = []
    for step in (1, 2, 4):
        rows, cols = (side // step for side in grey.shape)
        small = grey[: rows * step, : cols * step].reshape(rows, step, cols, step).mean((1, 3))
        across, down = np.abs(np.diff(small, axis=1)), np.abs(np.diff(small, axis=0))
        found += [across.mean(), down.mean(), np.quantile(across, 0.95)]
    return np.log(np.array(found) + 1e-3)


def groups(rows: Values, count: int) -> npt.NDArray[np.intp]:
    """Ward's clusters of rows of features.

    Args:
        rows: ``(chips, features)``.
        count: how many groups.

    Returns:
        ``(chips,)``, numbers from 0.
    """
    scaled = StandardScaler().fit_transform(rows)
    reduced = PCA(min(12, *scaled.shape), whiten=False).fit_transform(scaled)
    return np.asarray(AgglomerativeClustering(count, linkage="ward").fit_predict(reduced))


def sheet(paths: list[Path], target: Path) -> None:
    """Write small pictures of chips, row by row."""
    rows = -(-len(paths) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * TILE, rows * TILE))
    for number, path in enumerate(paths):
        small = Image.open(path).convert("RGB").resize((TILE - 2, TILE - 2))
        picture.paste(small, (number % COLUMNS * TILE, number // COLUMNS * TILE))
    picture.save(target, quality=85)


def main() -> None:
    """Read a folder's chips, group those of each size, write lists and sheets."""
    parser = argparse.ArgumentParser(description="Sort chips into places by look.")
    parser.add_argument("folder", type=Path, help="with images/ and masks/ of the same names")
    parser.add_argument("out", type=Path, help="where lists and contact sheets go")
    parser.add_argument("--groups", type=int, default=18, help="how many of each size of chip")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    by_size: dict[str, list[Path]] = {}
    for path in sorted((given.folder / "images").iterdir()):
        by_size.setdefault("512" if Image.open(path).size == (512, 512) else "500", []).append(path)
    for size, paths in by_size.items():
        masks = [given.folder / "masks" / f"{path.stem}.png" for path in paths]
        rows = np.stack([features(*pair) for pair in zip(paths, masks, strict=True)])
        found = groups(rows, min(given.groups, len(paths)))
        for group in range(found.max() + 1):
            members = [path for path, own in zip(paths, found, strict=True) if own == group]
            name = f"group-{size}-{group:02d}"
            (given.out / f"{name}.txt").write_text("".join(f"{path.stem}\n" for path in members))
            sheet(members, given.out / f"{name}.jpg")


if __name__ == "__main__":
    main()
