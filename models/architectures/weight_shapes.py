"""Read off the shapes of stored weights which options a model was made with, to explain why a file does not fit."""


def encoder_options(shapes: dict) -> dict:
    """Options behind an encoder of SAEHD, Quick96 or AMP."""
    first = _last_size(shapes, "down1/downs_0/conv1/weight:0") or _last_size(shapes, "down1/conv1/weight:0")
    found = {"e_dims": first, "letter t in archi": "down5/conv1/weight:0" in shapes}
    dense = shapes.get("dense1/weight:0")
    found["model class"] = "AMP" if dense else "SAEHD or Quick96"
    if dense and first:
        found["ae_dims"] = dense[1]
        found["resolution"] = 32 * _root(dense[0] // (8 * first))
    return found


def inter_options(shapes: dict, cell: int, code_multiple: int) -> dict:
    """Options behind an inter of SAEHD or Quick96.

    Parameters
    ----------
    shapes : dict
    cell : int
        Pixels per cell of the dense map, 16 or 32, of the architecture that reads the file.
    code_multiple : int
        Its code channels per ae_dims: 1 for df, 2 for liae.
    """
    found = {"model class": "SAEHD or Quick96" if "dense1/weight:0" in shapes else "AMP"}
    first, second = shapes.get("dense1/weight:0"), shapes.get("dense2/weight:0")
    if first is None or second is None:
        return found
    ae_dims, outputs = second
    side = _root(outputs / (code_multiple * ae_dims))
    exact = side * side * code_multiple * ae_dims == outputs
    return found | {
        "ae_dims": ae_dims,
        "resolution": side * cell if exact else None,
        "cells of the code (from resolution and archi)": None if exact else outputs,
        "inputs of dense1 (from e_dims, resolution and archi)": first[0],
        "letter t in archi": "upscale1/conv1/weight:0" not in shapes,
    }


def amp_inter_options(shapes: dict) -> dict:
    """Options behind an inter of AMP."""
    second = shapes.get("dense2/weight:0")
    return {
        "model class": "SAEHD or Quick96" if "dense1/weight:0" in shapes else "AMP",
        "ae_dims": second and second[0],
        "outputs of dense2 (from inter_dims and resolution)": second and second[1],
    }


def decoder_options(shapes: dict) -> dict:
    """Options behind a decoder of SAEHD, Quick96 or AMP."""
    first, mask = shapes.get("upscale0/conv1/weight:0"), shapes.get("upscalem0/conv1/weight:0")
    return {
        "code channels (from ae_dims or inter_dims, and df or liae)": first and first[2],
        "d_dims": first and first[3] // 32,
        "d_mask_dims": mask and mask[3] // 32,
        "letter d in archi": "out_conv1/weight:0" in shapes,
        "letter t in archi": "upscale3/conv1/weight:0" in shapes,
    }


def patch_discriminator_options(shapes: dict) -> dict:
    """Options behind a GAN file."""
    layers = sum(key.startswith("convs_") and key.endswith("weight:0") for key in shapes)
    return {
        "gan_dims": _last_size(shapes, "in_conv/weight:0"),
        "number of layers (from gan_patch_size)": layers,
    }


def code_discriminator_options(shapes: dict) -> dict:
    """Options behind a code discriminator file."""
    first = shapes.get("convs_0/weight:0")
    layers = sum(key.startswith("convs_") and key.endswith("weight:0") for key in shapes)
    return {"ae_dims": first and first[2], "number of layers (from resolution and archi)": layers}


def xseg_options(shapes: dict) -> dict:
    """Options behind an XSeg file; forks know other resolutions than 256."""
    first, dense = shapes.get("conv01/conv/weight:0"), shapes.get("dense1/weight:0")
    found = {"base channels": first and first[3]}
    if first and dense:
        found["resolution"] = 64 * _root(dense[0] // (8 * first[3]))
    return found


def _last_size(shapes, key):
    return shapes[key][-1] if key in shapes else None


def _root(square):
    return round(square**0.5)
