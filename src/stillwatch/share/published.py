"""The JSON Schema of every object that may be shared, as it is shipped beside the code."""

from __future__ import annotations

from typing import Any

from stillwatch.share.catalogue import CATALOGUE
from stillwatch.share.objects import EXTENSIONS, FREE_TYPES
from stillwatch.share.standard import STANDARD

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of every object that may be shared."""
    extensions = {f"extension-{name}": shape.schema() for name, shape in EXTENSIONS.items()}
    free = {name: shape.schema() for name, shape in FREE_TYPES.items()}
    free |= {f"standard-{name}": shape.schema() for name, shape in STANDARD.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Objects that stillwatch shares",
        "description": "An object is one of `oneOf`: of a listed type with the listed fields, "
        "with an extension of the project's or (standard-…) without, or one of the fixed objects, "
        "whole.",
        "$defs": {**extensions, **free, "fixed": {"enum": [*CATALOGUE.values()]}},
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in (*free, "fixed")],
    }
