"""What the embedded building model says about itself: its description and its card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geoseg.core.bundle import BundleSpec, Scaling
from geoseg.core.classes import ClassList, LabelClass
from geoseg.train.first.findings import Findings
from geoseg.train.first.recipe import Recipe

CLASSES = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#E4572E")))

DATA: tuple[Mapping[str, Any], ...] = (
    {
        "name": "building-segmentation-2, train: 973 satellite chips of large Chinese cities",
        "licence": "CC-BY-4.0",
        "by": "a Roboflow user",
        "use": "training; valid: choice of the threshold",
    },
    {
        "name": "Banepa, Nepal, drone orthophoto (OpenAerialMap 62d85d11d8499800053796c1)",
        "licence": "CC-BY-4.0",
        "by": "Humanitarian OpenStreetMap Team",
        "use": "the west of the scene: training, its southern eighth: choice of the threshold",
    },
    {
        "name": "OpenStreetMap building outlines of Banepa",
        "licence": "ODbL-1.0",
        "by": "OpenStreetMap contributors",
        "use": "labels of that scene",
    },
    {
        "name": "geoseg synthetic scenes",
        "licence": "Apache-2.0",
        "by": "geoseg",
        "use": "training",
    },
    {
        "name": "EfficientNet-Lite0, trained on ImageNet (TensorFlow)",
        "licence": "Apache-2.0",
        "by": "The TensorFlow Authors",
        "use": "first weights of the encoder",
    },
)


def describe(recipe: Recipe, findings: Findings, version: str) -> BundleSpec:
    """The bundle's description, without the digests of its files."""
    return BundleSpec(
        name="buildings",
        version=version,
        architecture=recipe.architecture,
        arguments=recipe.arguments,
        bands=("red", "green", "blue"),
        scaling=Scaling("uint8", recipe.gain, recipe.bias),
        classes=CLASSES,
        patch=(512, 512),
        overlap=(128, 128),
        patch_multiple=32,
        gsd_range_m=findings.gsd_range_m,
        has_edges=True,
        activation="sigmoid",
        threshold=findings.threshold,
        min_area_m2={"1": findings.min_area_m2},
        simplify_m=0.3,
        value_range=findings.value_range,
        precision=findings.precision,
        metrics=findings.metrics,
        data=DATA,
        licence="Apache-2.0",
    )


def card(spec: BundleSpec) -> str:
    """The model card, in Markdown."""
    low, high = spec.gsd_range_m or (0.0, 0.0)
    names = sorted({name for figures in spec.metrics.values() for name in figures})
    rows = [
        f"| {data} | " + " | ".join(f"{figures[n]:.3f}" if n in figures else "" for n in names) + " |"
        for data, figures in spec.metrics.items()
    ]
    table = "\n".join([f"| measured on | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|", *rows])
    sources = "\n".join(
        f"- {d['name']}. {d['licence']}, {d['by']}. {d['use'].capitalize()}." for d in spec.data
    )
    return _CARD.format(
        version=spec.version, low=low, high=high, threshold=spec.threshold, table=table, sources=sources
    )


_CARD = """# Buildings, version {version}

Finds the footprints of buildings in aerial and satellite images with red, green and blue bands.
Unet with an EfficientNet-Lite0 encoder, 5.2 million weights, two outputs: building, and the inner rim (2 px)
of each building, by which buildings that touch are told apart.

## Use

- Pixels of {low:g} to {high:g} m on the ground; geoseg resamples scenes outside this range to its nearer end.
- 8-bit images as they come from a camera or a web map. Other data types are stretched, once for the whole
  scene.
- A pixel is building from a probability of {threshold:g}.

## Figures

{table}

IoU and F1 against labels on the image's own grid, by the training code's own tiling and splitting; a
footprint counts as found if IoU > 0.5 (SpaceNet's rule), from 10 m² on. Of Banepa the west was trained on and
the east is the test. The south-west and the valid chips chose the thresholds. Rio is another city, camera and
hand: what to expect where nothing was trained on.

## What it is not good at

- Places unlike those it has seen: real labels come from two sources only, in China and Nepal. In Rio it finds
  70 % of what is built on, but few footprints come out whole.
- Dense blocks in satellite images: most separate footprints there run together or fall apart.
- High-rises that lean away from the camera: the labels trace the ground, and the roof is up to 30 px off.
- What it has never been shown: oblique images, night, snow, infrared composites, single bands.
- Probabilities are no calibrated frequencies.

## Data and licences

{sources}

The weights are under the Apache License 2.0; name the sources above where you pass them on. The outlines of
Banepa come from OpenStreetMap, so the ODbL may apply to what is derived from them.
"""
