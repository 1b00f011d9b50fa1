"""The frameworks' side of networks.ts: reads one JSON request a line, answers one JSON line.

usage: network_truth.py CASES   (the folder of export_networks.py, which makes the same networks with the same weights)

What is known here is never read from toehold. A tap's values come from Python's onnxruntime on the untouched file; which of
its axes holds channels is told by the PyTorch module that reads or makes the same values; prefix tokens by timm's
num_prefix_tokens; pooling is NumPy's; gradients are autograd's, on the weights of the PyTorch network.
"""
import functools
import itertools
import json
import math
import os
import pathlib
import sys
import tempfile
import traceback
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "2")
warnings.filterwarnings("ignore")
sys.path.insert(0, sys.argv[1])

import export_networks as cases
import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

onnxruntime.set_default_logger_severity(3)
MEAN, STD = cases.MEAN, cases.STD
images_folder = pathlib.Path(sys.argv[1]) / "../../assets/datasets/sign_digits/train"

# Blocks as the architectures' papers and timm's configurations count them: instances of these classes.
BLOCKS = {
    "Block", "BasicBlock", "Bottleneck", "Bottle2neck", "PreActBottleneck", "ResNetV2Block", "SwinTransformerBlock",
    "SwinTransformerV2Block", "XCABlock", "ClassAttentionBlock", "MetaFormerBlock", "MixerBlock", "ConvNeXtBlock",
    "ConvBlock", "SplitTransposeBlock", "InvertedResidual", "DepthwiseSeparableConv", "UniversalInvertedResidual",
    "EdgeResidual", "ConvBnAct", "GhostBottleneck", "RepVggBlock", "MobileOneBlock", "DenseLayer", "DlaBasic",
    "DlaBottleneck", "Fire", "CLIPEncoderLayer", "Dinov2Layer", "DINOv3ViTLayer", "SiglipEncoderLayer", "RepMixerBlock",
    "AttentionBlock", "LevitBlock", "LevitDownsample", "PatchMergingBlock", "BottleneckBlock", "EvaBlock",
}


def quiet(call):
    with torch.no_grad():
        return call()


@functools.lru_cache(maxsize=1)
def network(name):
    """The model that was exported, in evaluation mode, and the size of its images."""
    torch.manual_seed(0)
    model, size = cases.build(name)
    kept = pathlib.Path(tempfile.gettempdir()) / "toehold-networks" / f"{name.replace(':', '_')}.pt"
    if kept.exists():
        model.load_state_dict(torch.load(kept))
    else:
        cases.make_trained_like(model, cases.pixels(images_folder, size))
        kept.parent.mkdir(exist_ok=True)
        torch.save(model.state_dict(), kept)
    return model.eval(), size


def normalised(pixels):
    return ((pixels.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2).copy()


def read_images(files, size):
    opened = [Image.open(f).convert("RGB").resize((size, size), Image.Resampling.BILINEAR) for f in files]
    return normalised(np.stack([np.asarray(i) for i in opened]))


# What the modules say.

def channel_axis(module, path):
    """Of what a module reads and makes; None where its kind does not tell."""
    if "token" in path.split(".")[-2:] or any("tokens" in part for part in path.split(".")):
        return None  # a product over places
    kind = type(module).__name__
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)):
        return 1
    if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)):
        return 1
    if isinstance(module, nn.LayerNorm):
        return 1 if "2d" in kind else -1
    if kind == "LayerScale2d":
        return 1
    if isinstance(module, nn.Linear) or "RMSNorm" in kind or "LayerScale" in kind:
        return -1
    return None


class Recorder:
    """Values at the doors of modules that tell which axis is which, in one run."""

    def __init__(self, model):
        self.values, self.handles = [], []
        for path, module in model.named_modules():
            if channel_axis(module, path) is not None:
                self.handles.append(module.register_forward_hook(functools.partial(self.record, path)))

    def record(self, path, module, inputs, output):
        axis = channel_axis(module, path)
        for side, value in (("in", inputs[0]), ("out", output)):
            if torch.is_tensor(value) and value.dim() >= 2:
                wanted = axis if axis >= 0 else value.dim() - 1
                self.values.append((path, side, wanted, value))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


class Doors:
    """Recorded values, found again by their numbers."""

    def __init__(self, recorded):
        self.by_size = {}
        for path, side, axis, value in recorded:
            array = value.detach().numpy()
            entry = (path, side, axis, array, float(np.abs(array).sum()))
            self.by_size.setdefault(array.size, []).append(entry)

    def find(self, value):
        """(path, side, axis of channels in `value`) of the first door with the same numbers; None where there is none."""
        total = float(np.abs(value).sum())
        near = [e for e in self.by_size.get(value.size, []) if abs(e[4] - total) <= 2e-3 * max(e[4], 1e-12)]
        for path, side, axis, array, _ in near:
            found = same_numbers(value, array, axis)
            if found is not None:
                return path, side, found
        return None


def close(a, b):
    return float(np.abs(a - b).max()) <= 2e-3 * max(float(np.abs(b).max()), 1e-12)


def same_numbers(value, array, axis):
    """The axis of `value` that is `axis` of `array`, if one is the other reshaped, or its axes in another order."""
    if close(value.reshape(-1), array.reshape(-1)):
        inner, size = math.prod(array.shape[axis + 1:]), array.shape[axis]
        for k, d in enumerate(value.shape):
            if d == size and math.prod(value.shape[k + 1:]) == inner and (k > 0 or value.ndim == 1):
                return k
        return None
    lean = [k for k, d in enumerate(array.shape) if d > 1]
    own = [k for k, d in enumerate(value.shape) if d > 1]
    if len(lean) != len(own):
        return same_merged(value, array, axis)
    for order in itertools.permutations(lean):
        if [array.shape[k] for k in order] != [value.shape[k] for k in own]:
            continue
        rest = [k for k in range(array.ndim) if k not in lean]
        turned = array.transpose([*order, *rest]).reshape(-1)
        if close(value.reshape(-1), turned):
            return own[order.index(axis)] if axis in order else None
    return None


def same_merged(value, array, axis):
    """As same_numbers, for places in one axis on one side and in rows and columns on the other."""
    for last in (False, True):
        mine, theirs = (np.moveaxis(v, k, -1).reshape(-1) if v.ndim > 2 else v.reshape(-1)
                        for v, k in ((value, 1 if last else value.ndim - 1), (array, axis)))
        if close(mine, theirs):
            return 1 if last else value.ndim - 1
    return None


def prefix_tokens(model):
    inner = getattr(model, "inner", None)
    if inner is None:
        return int(getattr(model, "num_prefix_tokens", 1 if hasattr(model, "cls_token") else 0) or 0)
    kind = type(inner).__name__
    return {"CLIPVisionModelWithProjection": 1, "Dinov2ForImageClassification": 1, "SiglipVisionModel": 0}.get(
        kind, 1 + int(getattr(inner.config, "num_register_tokens", 0)))


def classifiers(model):
    """Linear layers and convolutions that give the classes."""
    with_classes = [1000, 100]
    last = [(p, m) for p, m in model.named_modules()
            if getattr(m, "out_features", getattr(m, "out_channels", 0)) in with_classes and
            any(word in p for word in ("head", "fc", "classifier"))]
    return [p for p, _ in last]


# Layouts, ends and extracted features.

def tap_values(path, names, x):
    """Every named value for each image alone, by Python's onnxruntime; names that only a body has are left out."""
    model = onnx.load(path)
    known = {n for node in model.graph.node for n in node.output}
    existing = {o.name for o in model.graph.output}
    wanted = [n for n in names if n in known]
    for name in wanted:
        if name not in existing:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    for tensor in model.graph.initializer:
        if tensor.HasField("data_location") and tensor.data_location == onnx.TensorProto.EXTERNAL:
            onnx.external_data_helper.load_external_data_for_model(model, str(pathlib.Path(path).parent))
            break
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [o.name for o in onnx.load(path, load_external_data=False).graph.output]
    name = session.get_inputs()[0].name
    rows = [session.run(wanted + outputs[:1], {name: x[i:i + 1]}) for i in range(len(x))]
    values = {n: [row[k] for row in rows] for k, n in enumerate(wanted)}
    return values, [row[-1] for row in rows]


def letters(value, axis):
    """Axes as toehold writes them, of a value for one image whose channels are on `axis`."""
    if value.ndim == 2:
        return "NC"
    places = "HW" if value.ndim == 4 else "T"
    it = iter(places)
    return "".join("N" if k == 0 else "C" if k == axis else next(it, "?") for k in range(value.ndim))


def check_taps(request):
    model, size = network(request["name"])
    x = read_images(request["images"], size)
    tensor = torch.from_numpy(x[:1])
    with Recorder(model) as recorder:
        reference = quiet(lambda: model(tensor)).numpy()
    doors = Doors(recorder.values)
    values, outputs = tap_values(request["model"], [t["name"] for t in request["taps"]], x)
    grids = {tuple(a.shape[2:]) for entries in doors.by_size.values() for _, _, k, a, _ in entries if a.ndim == 4 and k == 1}
    grids |= {tuple(a.shape[1:3]) for entries in doors.by_size.values() for _, _, k, a, _ in entries if a.ndim == 4 and k == 3}
    prefix_of_model = prefix_tokens(model)
    heads = classifiers(model)
    answer = {"output": float(np.abs(outputs[0].reshape(-1) - reference.reshape(-1)).max() / np.abs(reference).max()), "taps": []}
    for tap in request["taps"]:
        said = {"alias": tap["alias"]}
        answer["taps"].append(said)
        if tap["name"] not in values:
            said["state"] = "inside a body"
            continue
        first = values[tap["name"]][0]
        told = doors.find(first)
        if told is None and first.ndim == 2:
            told = ("", "", 1)
        if told is None:
            said.update(state="not told", shape=list(first.shape))
            continue
        door, side, axis = told
        said.update(door=f"{side} {door}", state="told")
        expected = letters(first, axis)
        wrong = []
        if tap["axes"] != expected:
            wrong.append(f"axes {tap['axes']} for {expected}")
        prefix, grid = 0, None
        if first.ndim == 3:
            tokens = first.size // first.shape[axis]
            sizes = {h * w for h, w in grids}
            prefix = 0 if tokens in sizes else prefix_of_model if tokens - prefix_of_model in sizes else tokens
            if tap["prefix"] + tap["suffix"] != (0 if prefix == tokens else prefix):
                wrong.append(f"prefix {tap['prefix']} + {tap['suffix']} for {prefix}")
            possible = [g for g in grids if g[0] * g[1] == tokens - prefix]
            if possible and (tap["grid"] is None or tuple(tap["grid"]) not in possible):
                wrong.append(f"grid {tap['grid']} for {possible}")
            prefix = 0 if prefix == tokens else prefix
        if first.ndim == 4:
            grid = [d for k, d in enumerate(first.shape) if k not in (0, axis)]
            if tap["grid"] != grid:
                wrong.append(f"grid {tap['grid']} for {grid}")
        if wrong:
            said["wrong"] = "; ".join(wrong)
        stored = np.load(tap["file"], mmap_mode="r") if tap.get("file") else None
        if stored is not None:
            worst = largest = 0.0
            for i, value in enumerate(values[tap["name"]]):
                theirs = pooled(value, axis, prefix)
                mine = np.asarray(stored[request["rows"][i]])
                if mine.size != theirs.size:
                    worst, largest = math.inf, 1.0
                    break
                worst, largest = max(worst, float(np.abs(mine - theirs).max())), max(largest, float(np.abs(theirs).max()))
            said["difference"] = worst / max(largest, 1e-12)
    answer["ends"] = check_ends(request, values, recorder, reference, heads)
    return answer


def pooled(value, axis, prefix):
    """Means over places, prefix tokens apart; ordered by channel, then cell."""
    flat = np.moveaxis(value.astype(np.float64), axis, -1).reshape(-1, value.shape[axis])
    cells = np.concatenate([flat[:prefix], flat[prefix:].mean(0, keepdims=True)])
    return cells.T.reshape(-1)


def check_ends(request, values, recorder, reference, heads):
    """What is wrong with `features` and `logits`; empty where nothing is."""
    by_alias = {t["alias"]: t["name"] for t in request["taps"]}
    wrong = []
    flat = lambda v: v.detach().numpy().reshape(-1)
    if heads:
        if "logits" not in by_alias:
            wrong.append("no logits")
        elif by_alias["logits"] in values and not near(values[by_alias["logits"]][0].reshape(-1), reference.reshape(-1)):
            own = [v for p, s, _, v in recorder.values if p in heads and s == "out"]
            if not any(near(values[by_alias["logits"]][0].reshape(-1), flat(v)) for v in own):
                wrong.append("logits are other values")
        allowed = [v for p, s, _, v in recorder.values if s == "in" and any(p == h or h.startswith(p + ".") or p.startswith(h.split(".")[0] + ".") for h in heads)]
        if len(heads) > 1:  # what all of them read
            allowed += [v for p, s, _, v in recorder.values if s == "out" and p.endswith("norm")]
    else:
        allowed = [torch.from_numpy(reference)] + [v for p, s, _, v in recorder.values if p.endswith("visual_projection") and s == "in"]
    if "features" not in by_alias:
        wrong.append("no features")
    elif by_alias["features"] in values:
        value = values[by_alias["features"]][0]
        if not any(v.numel() == value.size and same_numbers(value, v.detach().numpy(), 1 if v.dim() == 4 else v.dim() - 1) is not None for v in allowed):
            wrong.append("features are other values")
    return "; ".join(wrong)


def near(a, b):
    return a.size == b.size and close(a, b)


# Parameters, blocks.

def count_blocks(name, modules):
    kinds = BLOCKS
    if "fastvit" in name:  # reparameterised layers inside its blocks
        kinds = BLOCKS - {"MobileOneBlock"}
    elif "mobilevit" in name:  # timm's depths of its stages, each transformer within one block
        kinds = BLOCKS - {"Block"} | {"MobileVitBlock"}
    found = sum(type(m).__name__ in kinds for m in modules)
    # timm's depths count a depthwise and a pointwise part as one; the first is the stem.
    return found // 2 if "mobileone" in name else found

def check_counts(request):
    model, _ = cases.build(request["name"])
    file = onnx.load(request["model"])
    initialisers = {t.name: t for t in file.graph.initializer}
    named = [m for m in model.modules()]
    norms = sum(2 * m.num_features for m in named if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.affine)
    size_of = lambda n: math.prod(initialisers[n].dims) if n in initialisers else 0
    left = sum(2 * size_of(n.input[1]) for n in file.graph.node if n.op_type == "BatchNormalization")
    convolutions = [m for m in named if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    own_biases = sum(m.out_channels for m in convolutions if m.bias is not None)
    biases = sum(size_of(n.input[2]) for n in file.graph.node if n.op_type in ("Conv", "ConvTranspose") and len(n.input) > 2)
    blocks = count_blocks(request["name"], named)
    # A mask token is read in pretraining only; no exporter writes it.
    parameters = sum(p.numel() for n, p in model.named_parameters() if not n.endswith("mask_token"))
    return {"parameters": parameters, "folded": norms - left, "addedBiases": biases - own_biases, "blocks": blocks,
            "kinds": sorted({type(m).__name__ for m in named if type(m).__name__ in BLOCKS})}


# The exported head.

def check_head(request):
    session = onnxruntime.InferenceSession(request["head"], providers=["CPUExecutionProvider"])
    worst = 0.0
    for file, expected in zip(request["files"], request["probabilities"]):
        image = np.asarray(Image.open(file).convert("RGB"))
        (p,) = session.run(["probabilities"], {"image": image})
        worst = max(worst, float(np.abs(p - np.array(expected)).max()))
    return {"difference": worst}


# One training step.

def folded_pairs(model, x):
    """(convolution, norm) by the values that pass between them."""
    made, pairs, handles = {}, [], []
    for path, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            handles.append(module.register_forward_hook(lambda m, i, o: made.__setitem__(id(o), (m, o))))
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            handles.append(module.register_forward_pre_hook(
                lambda m, i: pairs.append((made[id(i[0])][0], m)) if id(i[0]) in made else None))
    quiet(lambda: model(x))
    for handle in handles:
        handle.remove()
    return pairs


def check_step(request):
    model, size = network(request["name"])
    pixels = np.fromfile(request["pixels"], np.uint8).reshape(-1, size, size, 3)
    x, y = torch.from_numpy(normalised(pixels)), torch.tensor(request["labels"])
    raw = np.fromfile(request["tensors"], np.float32)
    entries, at = {}, 0
    for entry in request["index"]:
        n = math.prod(entry["dims"])
        entries[entry["name"]] = (raw[at:at + n].reshape(entry["dims"]), raw[at + n:at + 2 * n].reshape(entry["dims"]))
        at += 2 * n
    # The door of the features, and the new head.
    door = None
    with Recorder(model) as recorder:
        quiet(lambda: model(x[:1]))
    values, _ = tap_values(request["model"], [request["features"]], x[:1].numpy())
    if request["features"] not in values:
        return {"state": "features inside a body"}
    told = Doors(recorder.values).find(values[request["features"]][0])
    target = values[request["features"]][0]
    output_is_features = False
    if told is None:
        out = quiet(lambda: model(x[:1])).numpy()
        if not near(out.reshape(-1), target.reshape(-1)):
            return {"state": "features not told"}
        output_is_features = True
    pairs = folded_pairs(model, x[:1])
    scales = [entries[n][0] for n in request["liveNorms"] if n in entries]
    live = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and
            any(s.shape == tuple(m.weight.shape) and np.allclose(s, m.weight.detach().numpy(), rtol=1e-5, atol=1e-7) for s in scales)]
    head = [torch.from_numpy(entries[n][0].copy()) for n in ("head.weight", "head.bias")]
    single = compare_step(model, (x, y), None if output_is_features else told, head, live, pairs, entries)
    if single["gradient"] > 5e-4:
        # How far PyTorch's own float32 is from its float64, at most, computed in three ways and from weights that are a rounding
        # away: some networks magnify it.
        at = None if output_is_features else told
        others = [single["theirs"]]
        with torch.backends.mkldnn.flags(enabled=False):
            others.append(compare_step(model, (x, y), at, head, live, pairs, entries)["theirs"])
        model.to(memory_format=torch.channels_last)
        others.append(compare_step(model, (x.contiguous(memory_format=torch.channels_last), y), at, head, live, pairs,
                                   entries)["theirs"])
        model.to(memory_format=torch.contiguous_format)
        start = {k: v.clone() for k, v in model.state_dict().items()}
        for seed in range(6):
            torch.manual_seed(seed)
            model.load_state_dict({k: v * (1 + 6e-8 * torch.randn_like(v)) if v.is_floating_point() else v for k, v in start.items()})
            others.append(compare_step(model, (x, y), at, head, live, pairs, entries)["theirs"])
        model.load_state_dict(start)
        precise = compare_step(model.double(), (x.double(), y), at, [h.double() for h in head], live, pairs, entries, others)
        model.float()
        single["rounding"] = precise["own"]
        single["gradient"] = min(single["gradient"], precise["gradient"])
    del single["theirs"]
    return {"state": "compared", **single}


def compare_step(model, batch, told, head, live, pairs, entries, before=()):
    """Loss and gradients of the first step, against `entries`: (start, gradient) by name. `before`: theirs in float32, each way."""
    x, y = batch
    model.zero_grad(set_to_none=True)
    caught = {}
    if told is not None:
        path, side, _ = told
        module = dict(model.named_modules())[path]
        handle = module.register_forward_hook(lambda m, i, o: caught.setdefault("value", i[0] if side == "in" else o))
    saved = {k: v.clone() for k, v in model.state_dict().items()}
    for m in live:
        m.train()
    out = model(x)
    if told is not None:
        handle.remove()
    value = out if told is None else caught["value"]
    axis = 1 if told is None else channel_axis(module, path)
    axis = axis if axis >= 0 else value.dim() - 1
    places = [k for k in range(1, value.dim()) if k != axis]
    features = value.mean(places) if places else value
    w, b = (h.clone().requires_grad_() for h in head)
    loss = F.cross_entropy(F.linear(features, w, b), y)
    loss.backward()
    model.eval()
    model.load_state_dict(saved)
    # torch's parameters as candidates: plain, and folded with the factor between gradients.
    plain = {}
    for name, p in model.named_parameters():
        grad = p.grad if p.grad is not None else torch.zeros_like(p)
        plain.setdefault(p.numel(), []).append((name, p.detach().numpy(), grad.numpy()))
    folded = {}
    for conv, norm in pairs:
        if norm in live or norm.weight is None:
            continue
        scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
        shape = [-1, *[1] * (conv.weight.dim() - 1)]
        wf = (conv.weight.detach() * scale.reshape(shape)).numpy()
        bias = conv.bias.detach() if conv.bias is not None else 0
        bf = (norm.bias.detach() + (bias - norm.running_mean) * scale).numpy()
        gw = torch.zeros_like(conv.weight) if conv.weight.grad is None else conv.weight.grad
        gb = torch.zeros_like(norm.bias) if norm.bias.grad is None else norm.bias.grad
        with np.errstate(divide="ignore", invalid="ignore"):
            folded.setdefault(wf.size, []).append(("folded", wf, (gw / scale.reshape(shape)).numpy()))
        folded.setdefault(bf.size, []).append(("folded", bf, gb.numpy()))
    own_head = {"head.weight": w.grad.numpy(), "head.bias": b.grad.numpy()}
    total = matched = 0
    differences, norms, apart, worst, found = 0.0, 0.0, [0.0 for _ in before], ("", 0.0), {}
    scale_of_all = math.sqrt(sum(float((g ** 2).sum()) for _, g in entries.values()))
    unmatched = []
    for name, (start, gradient) in entries.items():
        total += start.size
        if name in own_head:
            best = (own_head[name], gradient)
        else:
            best = match(name, start, gradient, plain, folded)
        if best is None:
            unmatched.append(name)
            continue
        matched += best[0].size
        theirs, mine = best
        found[name] = theirs
        for k, way in enumerate(before):
            if name in way:
                apart[k] += float(((way[name] - theirs) ** 2).sum())
        d, n = float(((mine - theirs) ** 2).sum()), float((theirs ** 2).sum())
        differences, norms = differences + d, norms + n
        relative = math.sqrt(d) / max(math.sqrt(n), 1e-2 * scale_of_all)
        if relative > worst[1]:
            worst = (name, relative)
    size = max(math.sqrt(norms), 1e-12)
    return {"loss": float(loss), "gradient": math.sqrt(differences) / size, "worst": list(worst), "theirs": found,
            "own": math.sqrt(max(apart, default=0.0)) / size, "matched": matched / max(total, 1), "unmatched": unmatched[:5]}


def match(name, start, gradient, plain, folded):
    """(their gradient, ours in the same order) of the parameter with the same numbers; the nearest gradient among equals."""
    best = None
    for candidates, tolerance in ((plain, 1e-6), (folded, 1e-4)):
        for other, value, grad in candidates.get(start.size, []):
            for mine, own in turned(start, gradient, value):
                if np.abs(mine - value).max() <= tolerance * max(np.abs(value).max(), 1e-12):
                    d = float(((own - grad) ** 2).sum())
                    if np.isfinite(d) and (best is None or d < best[0] or other == name):
                        best = (d, grad, own)
        if best is not None:
            return best[1], best[2]
    return match_parts(start, gradient, plain)


def match_parts(start, gradient, plain):
    """As match, where the exporter has cut, joined or sorted what it stored: position embeddings, biases without the keys' one."""
    flat, own = start.reshape(-1), gradient.reshape(-1)
    same = lambda a, b: a.size == b.size and np.abs(a - b).max() <= 1e-6 * max(np.abs(b).max(), 1e-12)
    theirs, mine = [], []
    for size, candidates in plain.items():
        for _, value, grad in candidates:
            values, grads = value.reshape(-1), grad.reshape(-1)
            if size == flat.size:
                a, b = np.argsort(flat, kind="stable"), np.argsort(values, kind="stable")
                if size > 1 and same(flat[a], values[b]) and np.unique(values).size == size:
                    return grads[b], own[a]
                continue
            short, long = (flat, values) if size > flat.size else (values, flat)
            if short.size < 2 or np.ptp(short) == 0:
                continue
            for at in np.flatnonzero(np.abs(long[:long.size - short.size + 1] - short[0]) <= 1e-6 * np.abs(short).max()):
                if not same(long[at:at + short.size], short):
                    continue
                if size > flat.size:
                    return grads[at:at + short.size], own
                theirs.append(grads)
                mine.append(own[at:at + short.size])
                break
    return (np.concatenate(theirs), np.concatenate(mine)) if sum(t.size for t in theirs) >= start.size / 2 else None


def turned(start, gradient, value):
    """Of equal order, or a matrix the other way round."""
    yield start.reshape(value.shape), gradient.reshape(value.shape)
    if start.ndim == 2 and value.ndim == 2 and start.shape == value.shape[::-1]:
        yield start.T, gradient.T


VERBS = {"taps": check_taps, "counts": check_counts, "head": check_head, "step": check_step}

for line in sys.stdin:
    request = json.loads(line)
    if request == "stop":
        break
    try:
        answer = VERBS[request["verb"]](request)
    except Exception as error:  # one network's failure is no other's
        traceback.print_exc(file=sys.stderr)
        answer = {"error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(answer), flush=True)
