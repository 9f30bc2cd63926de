"""A texture of a glTF to the bytes of its texels, or to the issue that says why it cannot be read."""

from io import BytesIO

import numpy as np

from citygen.arraytypes import UInt8
from citygen.validation.glb import Gltf
from citygen.validation.issues import IssueLog, Json, join
from citygen.validation.resources import read_uri
from citygen.validation.shape import INDEX, Array, Record

TEXTURE_INFO = Record({"index": INDEX, "texCoord": INDEX, "channels": Array(INDEX, 1)}, required=("index",))
"""A ``textureInfo`` with the channels that hold the bytes of a value."""


def read_texels(gltf: Gltf, info: Json, pointer: str, issues: IssueLog) -> UInt8 | None:
    """
    Return the channels of a texture that a ``textureInfo`` names.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    info : checked TEXTURE_INFO
        ``channels`` defaults to the first.
    pointer : str
        Of ``info``.
    issues : IssueLog
        Takes the issues.

    Returns
    -------
    (n, channels) uint8 or None
        All texels, row by row; None when they cannot be read.
    """
    textures, images = gltf.listed("textures"), gltf.listed("images")
    if info["index"] >= len(textures):
        issues.error("VALUE_NOT_IN_RANGE", join(pointer, "index"), f"there is no texture {info['index']}")
        return None
    source = textures[int(info["index"])].get("source")
    if source is None or source >= len(images):
        issues.error("INVALID_GLTF_STRUCTURE", pointer, "the texture has no image that can be read here")
        return None
    data = _image_bytes(gltf, images[int(source)], join("/images", int(source)), issues)
    texels = None if data is None else _decode(data, join("/images", int(source)), issues)
    if texels is None:
        return None
    channels = [int(channel) for channel in info.get("channels", [0])]
    if max(channels) >= texels.shape[1] or len(channels) > texels.shape[1]:
        message = f"channels {channels} of an image that has {texels.shape[1]}"
        issues.error("TEXTURE_CHANNELS_OUT_OF_RANGE", join(pointer, "channels"), message)
        return None
    return texels[:, channels]


def check_filters(gltf: Gltf, info: Json, allowed: tuple[int, ...], pointer: str, issues: IssueLog) -> None:
    """Check that the sampler of a texture uses only filters that keep its values."""
    textures, samplers = gltf.listed("textures"), gltf.listed("samplers")
    if info["index"] >= len(textures):
        return
    index = textures[int(info["index"])].get("sampler")
    if index is None or index >= len(samplers):
        return
    for name in ("magFilter", "minFilter"):
        if samplers[int(index)].get(name, allowed[0]) not in allowed:
            message = f"{name} must be one of {allowed} for a texture at {pointer}"
            issues.error("VALUE_NOT_IN_LIST", join("/samplers", int(index), name), message)


def check_tex_coord(attributes: Json, info: Json, pointer: str, issues: IssueLog) -> None:
    """Check that a primitive has the texture coordinates that a ``textureInfo`` names; 0 where it names none."""
    name = f"TEXCOORD_{int(info.get('texCoord', 0))}"
    if name not in attributes:
        issues.error("IDENTIFIER_NOT_FOUND", pointer, f"the primitive has no attribute {name}")


def _image_bytes(gltf: Gltf, image: Json, pointer: str, issues: IssueLog) -> bytes | None:
    if "uri" in image:
        return read_uri(image["uri"], gltf.resources, join(pointer, "uri"), issues)
    view = gltf.view_bytes(int(image.get("bufferView", -1)))
    if view is None:
        issues.error("INVALID_GLTF_STRUCTURE", pointer, "the image has neither a 'uri' nor a buffer view")
        return None
    return view.tobytes()


def _decode(data: bytes, pointer: str, issues: IssueLog) -> UInt8 | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            if image.mode == "P":
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")  # noqa: PLW2901
            texels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        issues.error("IO_ERROR", pointer, f"the image cannot be decoded: {str(error)!a}")
        return None
    if texels.dtype != np.uint8:
        issues.error("IO_ERROR", pointer, "the image does not have channels of 8 bits")
        return None
    flat: UInt8 = texels.reshape(texels.shape[0] * texels.shape[1], -1)
    return flat
