"""Names and shapes of all weights of a model, from DeepFaceLab's rules and not from our networks."""


def deepfake(resolution, archi, ae_dims, e_dims, d_dims, d_mask_dims):
    """{net: {key: shape}} of SAEHD and Quick96."""
    kind, _, letters = archi.partition("-")
    double, deep = "d" in letters, "t" in letters
    lowest = resolution // (32 if double else 16)
    cells = resolution // (32 if deep else 16)
    vector = 8 * e_dims * cells**2
    code = ae_dims * (2 if kind == "liae" else 1)
    inter = _dense("dense1", vector, ae_dims) | _dense("dense2", ae_dims, lowest**2 * code)
    if not deep:
        inter |= _conv("upscale1/conv1", 3, code, 4 * code)
    if kind == "liae":
        nets = {"inter_AB": inter, "inter_B": dict(inter)}
        nets["decoder"] = _decoder(4 * ae_dims, d_dims, d_mask_dims, double, deep)
    else:
        nets = {"inter": inter}
        for side in ("src", "dst"):
            nets[f"decoder_{side}"] = _decoder(ae_dims, d_dims, d_mask_dims, double, deep)
    return {"encoder": _encoder(e_dims, deep), **nets}


def amp(resolution, ae_dims, inter_dims, e_dims, d_dims, d_mask_dims):
    """{net: {key: shape}} of AMP."""
    cells = (resolution // 32) ** 2
    encoder = _encoder(e_dims, True) | _dense("dense1", 8 * e_dims * cells, ae_dims)
    inter = _dense("dense2", ae_dims, cells * inter_dims)
    decoder = _decoder(inter_dims, d_dims, d_mask_dims, True, True)
    return {"encoder": encoder, "inter_src": inter, "inter_dst": dict(inter), "decoder": decoder}


def _encoder(e_dims, deep):
    if not deep:
        widths = [3] + [e_dims * factor for factor in (1, 2, 4, 8)]
        return _merge(_conv(f"down1/downs_{i}/conv1", 5, widths[i], widths[i + 1]) for i in range(4))
    widths = [3] + [e_dims * factor for factor in (1, 2, 4, 8, 8)]
    downs = _merge(_conv(f"down{i + 1}/conv1", 5, widths[i], widths[i + 1]) for i in range(5))
    return downs | _residual("res1", e_dims) | _residual("res5", 8 * e_dims)


def _decoder(code, d_dims, d_mask_dims, double, deep):
    factors = [8, 8, 4, 2] if deep else [8, 4, 2]
    widths = [code] + [d_dims * factor for factor in factors]
    masks = [code] + [d_mask_dims * factor for factor in factors + [1] * double]
    shapes = _merge(_conv(f"upscale{i}/conv1", 3, widths[i], 4 * widths[i + 1]) for i in range(len(factors)))
    shapes |= _merge(_residual(f"res{i}", widths[i + 1]) for i in range(len(factors)))
    shapes |= _merge(_conv(f"upscalem{i}/conv1", 3, masks[i], 4 * masks[i + 1]) for i in range(len(masks) - 1))
    shapes |= _conv("out_conv", 1, widths[-1], 3) | _conv("out_convm", 1, masks[-1], 1)
    if double:
        shapes |= _merge(_conv(f"out_conv{i}", 3, widths[-1], 3) for i in (1, 2, 3))
    return shapes


def _conv(name, kernel, inputs, outputs):
    return {f"{name}/weight:0": (kernel, kernel, inputs, outputs), f"{name}/bias:0": (outputs,)}


def _dense(name, inputs, outputs):
    return {f"{name}/weight:0": (inputs, outputs), f"{name}/bias:0": (outputs,)}


def _residual(name, channels):
    return _conv(f"{name}/conv1", 3, channels, channels) | _conv(f"{name}/conv2", 3, channels, channels)


def _merge(parts):
    merged = {}
    for part in parts:
        merged |= part
    return merged
