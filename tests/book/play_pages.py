"""Pages with the playground in them, as files, with models that have not been trained."""

import json
import logging

import torch

from book.play.claims import claims
from book.play.join import joined
from invariant_nets import MODELS, CanonicalModel, FlattenMembers, export_graphs
from tests.book.small import ROOT

ASSETS = ROOT / "docs" / "assets"
N, D = 10, 5
PAGE = """<!doctype html>
<html lang="en" style="font-size: 125%">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A page</title>
<link rel="stylesheet" href="assets/book.css">
<link rel="stylesheet" href="assets/play.css">
<body data-md-color-scheme="default" style="background: var(--md-default-bg-color);
  color: var(--md-default-fg-color)">
<main class="md-typeset md-content"><h1>A page</h1>BOXES</main>
<script src="assets/book.js"></script>
"""
STILL = '<div class="play play-still"><p>Still.</p></div>'
PLAY = '<div data-play="playground" data-needs="playground claims" ATTRIBUTES>STILL</div>'
PAGES = {
    "whole": ["data-address"],
    "piece": [
        'data-models="mlp canonical-mlp" data-actions="swap shift"',
        'data-models="cyclic-mlp sampled-mlp" data-actions="shift swap again guess"',
    ],
    "wrong": ['data-models="mlp no-model"'],
}


def untrained():
    models = {"sorted": CanonicalModel(FlattenMembers())}
    for number, (name, spec) in enumerate(MODELS.items()):
        torch.manual_seed(number)
        models[name] = spec.model(N, D).eval()
    return models


def exported():
    """The models' document; else pytest would keep all that torch says while it traces."""
    logging.disable()
    document = export_graphs("playground", untrained(), N, D).document()
    logging.disable(logging.NOTSET)
    return document


def write_pages(folder):
    """Writes the pages, with models that are untrained."""
    (folder / "assets" / "play").mkdir(parents=True)
    for name in ("book.js", "book.css", "play.css"):
        (folder / "assets" / name).write_text((ASSETS / name).read_text())
    sources = (ASSETS / "play").rglob("*.js")
    modules = {file.relative_to(ASSETS / "play").as_posix(): file.read_text() for file in sources}
    (folder / "assets" / "play.js").write_text(joined(modules, "main.js"))
    for name, data in {"playground": exported(), "claims": claims()}.items():
        script = f'BOOK.data["{name}"] = {json.dumps(data)};'
        (folder / "assets" / "play" / f"{name}.js").write_text(script)
    for name, boxes in PAGES.items():
        html = "\n".join(
            PLAY.replace("STILL", STILL).replace("ATTRIBUTES", attributes) for attributes in boxes
        )
        (folder / f"{name}.html").write_text(PAGE.replace("BOXES", html))
