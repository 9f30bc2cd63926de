"""Feature ids to numbers that look like chance: the same for an id whatever is built beside it, whenever and where."""

import zlib

import numpy as np

from citygen.arraytypes import Float64, Int64, Objects


def seeds(ids: Objects) -> Int64:
    """
    Return one number an id, (n,) int64.

    Parameters
    ----------
    ids : (n,) object of str
        Feature ids.

    Returns
    -------
    (n,) int64
        The id's CRC-32.
    """
    return np.array([zlib.crc32(str(i).encode("utf-8", "replace")) for i in ids.tolist()], dtype=np.int64)


def uniform(seed: Int64, stream: int) -> Float64:
    """
    Return numbers in [0, 1), evenly spread over the seeds; streams are independent of one another.

    Parameters
    ----------
    seed : (n,) int64
        One a feature.
    stream : int
        What the number is for.

    Returns
    -------
    (n,) float64
        SplitMix64 (Steele, Lea, Flood 2014) of seed and stream.

    Examples
    --------
    >>> uniform(np.array([1, 2]), 0).round(3).tolist()
    [0.567, 0.591]
    """
    z = seed.astype(np.uint64) + np.uint64((stream + 1) * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    out: Float64 = (z >> np.uint64(11)).astype(np.float64) / 2.0**53
    return out
