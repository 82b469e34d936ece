"""Does one work once with one Python package, and prints what it took as one line of JSON.

Arguments: package, work, files as in `mindgap bench work`; or the single word `versions`. Only the work is timed: packages
are imported, and inputs that are not part of the work are read, before the clock starts.
"""

import json
import math
import sys
import time
from importlib import metadata

SPACING_MM = 1.0
LABELS = (1, 2, 3, 4)


def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def timed(work):
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_bytes": peak_bytes(), "check": None}, result


def isotropic(size, spacing):
    """Sizes of the grid with SPACING_MM over the same region, and its first centre in voxels."""
    ratios = [SPACING_MM / old for old in spacing]
    sizes = [max(1, math.ceil(n / ratio - 1e-6)) for n, ratio in zip(size, ratios)]
    return ratios, sizes, [0.5 * ratio - 0.5 for ratio in ratios]


def nibabel(work, files):
    import nibabel as nib
    import numpy as np

    if work == "read":
        outcome, voxels = timed(lambda: np.asanyarray(nib.load(files[0]).dataobj))
        assert voxels.dtype == np.int16, voxels.dtype
        return outcome | {"check": float(voxels.mean())}
    if work == "first-slice":
        return timed(lambda: np.asanyarray(nib.load(files[0]).dataobj[..., 0]))[0]
    if work == "header":
        return timed(lambda: (lambda image: (image.shape, image.affine, image.get_data_dtype()))(nib.load(files[0])))[0]
    assert work == "write-labels", work
    reference = nib.load(files[0])
    voxels = np.asanyarray(reference.dataobj)
    return timed(lambda: nib.save(nib.Nifti1Image(voxels, reference.affine), files[1]))[0]


def simple_itk(work, files):
    import numpy as np
    import SimpleITK as sitk

    if work == "header":
        reader = sitk.ImageFileReader()
        reader.SetFileName(files[0])
        return timed(reader.ReadImageInformation)[0]
    if work == "read":
        outcome, image = timed(lambda: sitk.ReadImage(files[0]))
        return outcome | {"check": float(sitk.GetArrayViewFromImage(image).mean())}
    image = sitk.ReadImage(files[0])
    if work == "write-labels":
        return timed(lambda: sitk.WriteImage(image, files[1], True))[0]
    assert work == "resample", work
    _, sizes, first = isotropic(image.GetSize(), image.GetSpacing())
    origin = image.TransformContinuousIndexToPhysicalPoint(first)
    spacing = [SPACING_MM] * 3
    transform, linear = sitk.Transform(), sitk.sitkLinear
    outcome, result = timed(
        lambda: sitk.Resample(image, sizes, transform, linear, origin, spacing, image.GetDirection(), 0)
    )
    return outcome | {"check": float(sitk.GetArrayViewFromImage(result).mean())}


def scipy(work, files):
    import nibabel as nib
    import numpy as np
    from scipy import ndimage

    assert work == "resample", work
    image = nib.load(files[0])
    voxels = np.asanyarray(image.dataobj)
    ratios, sizes, first = isotropic(voxels.shape, image.header.get_zooms()[:3])
    outcome, result = timed(
        lambda: ndimage.affine_transform(voxels, ratios, first, tuple(sizes), order=1, mode="nearest")
    )
    return outcome | {"check": float(result.mean())}


def surface_distance(work, files):
    import nibabel as nib
    import numpy as np
    import surface_distance as metrics

    assert work == "score", work
    prediction, reference = (np.asanyarray(nib.load(name).dataobj) for name in files)
    spacing = tuple(float(mm) for mm in nib.load(files[1]).header.get_zooms()[:3])

    def score():
        dice = []
        for label in LABELS:
            actual, predicted = reference == label, prediction == label
            dice.append(metrics.compute_dice_coefficient(actual, predicted))
            distances = metrics.compute_surface_distances(actual, predicted, spacing)
            metrics.compute_average_surface_distance(distances)
            metrics.compute_robust_hausdorff(distances, 95)
        return dice

    outcome, dice = timed(score)
    return outcome | {"check": float(np.mean(dice))}


PACKAGES = {
    "nibabel": nibabel,
    "SimpleITK": simple_itk,
    "scipy": scipy,
    "surface-distance": surface_distance,
}


def versions():
    there = {}
    for package in PACKAGES:
        try:
            there[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    return there


if sys.argv[1] == "versions":
    print(json.dumps(versions()))
else:
    print(json.dumps(PACKAGES[sys.argv[1]](sys.argv[2], sys.argv[3:])))
