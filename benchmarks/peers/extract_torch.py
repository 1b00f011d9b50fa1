"""PyTorch's side of the extraction benchmark: eager, channels-last, forward hooks, global average pooling of the same
values that toehold taps. Reads one JSON request a line on stdin, answers one a line on stdout."""

import json
import sys
import time

import timm
import torch
import torchvision

torch.set_grad_enabled(False)


def pool_map(x):
    return x.mean((2, 3))


def pool_tokens(x):
    return torch.cat([x[:, 0], x[:, 1:].mean(1)], 1)


def build(name):
    """Model and the modules whose outputs are pooled, as toehold's default taps: activations, residual sums, ends."""
    if name == "mobilenetv2":
        model = torchvision.models.mobilenet_v2()
        hooked = [m for m in model.modules() if isinstance(m, torch.nn.ReLU6)]
        blocks = [m for m in model.features if getattr(m, "use_res_connect", False)]
        return model, [(m, pool_map) for m in hooked + blocks]
    if name == "resnet50":
        model = torchvision.models.resnet50()
        hooked = [m for m in model.modules() if isinstance(m, torch.nn.ReLU)]
        return model, [(m, pool_map) for m in hooked]
    model = timm.create_model("deit_tiny_patch16_224")
    hooked = []
    for block in model.blocks:
        # Inputs of norm2 are the sum after attention; block outputs the sum after the MLP.
        hooked += [block.attn, block.mlp.act, block.mlp, block]
    return model, [(m, pool_tokens) for m in hooked] + [(block.norm2, None) for block in model.blocks]


def main():
    request = json.loads(sys.stdin.readline())
    torch.set_num_threads(request["threads"])
    model, taps = build(request["model"])
    model = model.eval().to(memory_format=torch.channels_last)
    batch, size = request["batch"], request["size"]
    x = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
    pooled = []
    for module, pool in taps:
        if pool is None:
            module.register_forward_pre_hook(lambda m, inputs: pooled.append(pool_tokens(inputs[0])))
        else:
            module.register_forward_hook(lambda m, i, output, pool=pool: pooled.append(pool(output)))
    for line in sys.stdin:
        if json.loads(line) == "stop":
            break
        pooled.clear()
        start = time.perf_counter()
        model(x)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "taps": len(pooled)}), flush=True)


print("ready", file=sys.stderr)
main()
