"""Does one work once with one Python package, and prints what it took as one line of JSON.

Arguments: package, work, files as in `mindgap bench work`; or the single word `versions`. Only the work is timed: packages
are imported, and inputs that are not part of the work are read, before the clock starts.
"""

import json
import math
import os
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


def tensors_of(path):
    """The tensors of a safetensors file as float32: a length, a JSON table, and the numbers."""
    import numpy as np
    import torch

    with open(path, "rb") as file:
        table = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        numbers = file.read()
    kinds = {"F16": np.float16, "F32": np.float32}
    table.pop("__metadata__", None)
    tensors = {}
    for name, entry in table.items():
        first, end = entry["data_offsets"]
        values = np.frombuffer(numbers[first:end], kinds[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.astype(np.float32))
    return tensors


def segmentation_net(weights, levels):
    """The network of a bundle as one writes it in PyTorch; images to labels, uncertainty and gap."""
    import torch
    from torch.nn import functional as F

    def level(x, name):
        for conv in ("0", "1"):
            of = f"segmenter.{name}.{conv}"
            x = F.conv2d(x, weights[f"{of}.conv.weight"], padding=1)
            x = F.instance_norm(x, weight=weights[f"{of}.scale"], bias=weights[f"{of}.shift"])
            x = F.leaky_relu(x, 0.01)
        return x

    def up(x, skips, l):
        x = F.interpolate(x, size=skips[l].shape[2:], mode="bilinear", align_corners=False)
        return level(torch.cat([x, skips[l]], 1), f"up.{l}")

    def gap(x):
        for l in range(3):
            x = F.leaky_relu(F.conv2d(x, weights[f"gap.{l}.weight"], weights[f"gap.{l}.bias"], padding=1), 0.2)
        x = F.conv2d(x, weights["gap.score.weight"], weights["gap.score.bias"], padding=1)
        kernel = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]).view(1, 1, 3, 3) / 16.0
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel).tanh().abs()

    def run(images):
        skips = []
        for l in range(levels):
            images = level(F.avg_pool2d(images, 2) if l else images, f"down.{l}")
            skips.append(images)
        x = skips.pop()
        for l in range(levels - 2, 1, -1):
            x = up(x, skips, l)
        mask = gap(x)
        x = x * (1 + mask)
        for l in (1, 0):
            x = up(x, skips, l)
        logits = F.conv2d(x, weights["segmenter.logits.weight"], weights["segmenter.logits.bias"])
        p = logits.softmax(1)
        entropy = torch.special.entr(p).sum(1) / math.log(p.shape[1])
        mask = F.interpolate(mask, size=p.shape[2:], mode="bilinear", align_corners=False)
        return p.argmax(1).to(torch.uint8), entropy, mask

    return run


def pytorch(work, files):
    import nibabel as nib
    import numpy as np
    import torch

    at_a_time = {"network": 1, "network-batched": 5}[work]
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(max(1, int(os.environ.get("MINDGAP_THREADS", cores - 1))))
    with open(os.path.join(os.path.dirname(files[1]), "card.json")) as file:
        card = json.load(file)
    low, high = card["preprocessing"]["ct_window_hu"]
    scan = np.asanyarray(nib.load(files[0]).dataobj).astype(np.float32)
    slices = torch.from_numpy(np.ascontiguousarray(((scan - low) / (high - low)).clip(0, 1).T))[:, None]
    run = segmentation_net(tensors_of(files[1]), len(card["network"]["level_multiples"]) + 1)

    def whole():
        return [[part.numpy() for part in run(batch)] for batch in slices.split(at_a_time)]

    with torch.no_grad():
        whole()
        outcome, found = timed(whole)
    return outcome | {"check": float(np.concatenate([labels for labels, _, _ in found]).mean())}


PACKAGES = {
    "nibabel": nibabel,
    "SimpleITK": simple_itk,
    "scipy": scipy,
    "surface-distance": surface_distance,
    "torch": pytorch,
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
