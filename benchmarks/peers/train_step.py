"""PyTorch's side of benchmarks/train-step.ts: full training steps (forward, backward, SGD with momentum), eager,
channels-last for convolutional networks. Reads one command a line, answers one JSON line: see the TypeScript side.

usage: python train_step.py WORKLOAD THREADS
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

name, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(0)


def rss():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


class CaffeNet32(nn.Sequential):
    """caffenet-32 of src/graph/architectures: pooling before normalisation, groups in layers 2, 4 and 5."""

    def __init__(self):
        def conv(i, o, k, g=1):
            return [nn.Conv2d(i, o, k, padding=k // 2, groups=g), nn.ReLU(inplace=True)]

        pool = lambda: nn.MaxPool2d(3, 2)
        lrn = lambda: nn.LocalResponseNorm(5, 1e-4, 0.75, 1)
        super().__init__(
            *conv(3, 48, 5), pool(), lrn(), *conv(48, 128, 5, 2), pool(), lrn(), *conv(128, 192, 3),
            *conv(192, 192, 3, 2), *conv(192, 128, 3, 2), pool(), nn.Flatten(),
            nn.Linear(1152, 512), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(inplace=True),
            nn.Dropout(), nn.Linear(512, 10))

    def freeze(self, layers):
        learned = [m for m in self if isinstance(m, (nn.Conv2d, nn.Linear))]
        for m in learned[:layers]:
            m.requires_grad_(False)


class PlainNet(nn.Sequential):
    """Eight learned layers without norms: six 3 x 3 convolutions, two dense."""

    def __init__(self):
        def conv(i, o):
            return [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(inplace=True)]

        super().__init__(
            *conv(3, 32), *conv(32, 32), nn.MaxPool2d(2), *conv(32, 64), *conv(64, 64), nn.MaxPool2d(2),
            *conv(64, 128), *conv(128, 128), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(2048, 256), nn.ReLU(inplace=True), nn.Linear(256, 10))

    freeze = CaffeNet32.freeze


class BasicBlock(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        s = 1 if i == o else 2
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.pad = (o - i) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        skip = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad)) if self.pad else x
        return F.relu(y + skip)


class ResNet20(nn.Sequential):
    def __init__(self):
        blocks = [BasicBlock(i, o) for o, ins in ((16, [16] * 3), (32, [16, 32, 32]), (64, [32, 64, 64])) for i in ins]
        super().__init__(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True), *blocks,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Bottleneck(nn.Sequential):
    def __init__(self, i, o, t, s):
        m = i * t
        expand = [nn.Conv2d(i, m, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU6(inplace=True)] if t > 1 else []
        super().__init__(*expand, nn.Conv2d(m, m, 3, s, 1, groups=m, bias=False), nn.BatchNorm2d(m),
                         nn.ReLU6(inplace=True), nn.Conv2d(m, o, 1, bias=False), nn.BatchNorm2d(o))
        self.skip = s == 1 and i == o

    def forward(self, x):
        y = super().forward(x)
        return x + y if self.skip else y


class MobileNetV2(nn.Sequential):
    def __init__(self, classes=10):
        layers, i = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(inplace=True)], 32
        for t, c, n, s in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                           (6, 320, 1, 1)]:
            for k in range(n):
                layers.append(Bottleneck(i, c, t, s if k == 0 else 1))
                i = c
        super().__init__(*layers, nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6(inplace=True),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, classes))


class ViTBlock(nn.Module):
    def __init__(self, d=192, h=3):
        super().__init__()
        self.h = h
        self.norm1, self.norm2 = nn.LayerNorm(d, 1e-6), nn.LayerNorm(d, 1e-6)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ViTTiny(nn.Module):
    def __init__(self, classes=10, size=224):
        super().__init__()
        self.patch = nn.Conv2d(3, 192, 16, 16)
        self.cls = nn.Parameter(torch.zeros(1, 1, 192))
        self.pos = nn.Parameter(torch.randn(1, 1 + (size // 16) ** 2, 192) * 0.02)
        self.blocks = nn.Sequential(*[ViTBlock() for _ in range(12)])
        self.norm, self.head = nn.LayerNorm(192, 1e-6), nn.Linear(192, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.blocks(x))[:, 0])


WORKLOADS = {
    "cnn8": (PlainNet, 128, 32, 0),
    "cnn8-frozen5": (PlainNet, 128, 32, 5),
    "caffenet32": (CaffeNet32, 128, 32, 0),
    "caffenet32-frozen5": (CaffeNet32, 128, 32, 5),
    "resnet20": (ResNet20, 128, 32, 0),
    "mobilenetv2": (MobileNetV2, 32, 128, 0),
    "vit-tiny": (ViTTiny, 16, 224, 0),
}
# PyTorch has no such cache: the cell with one is compared with the cell without.
build, batch, size, frozen = WORKLOADS[name.replace("cached", "frozen")]
base = rss()
model = build().train()
x = torch.randn(batch, 3, size, size)
if name != "vit-tiny":
    model = model.to(memory_format=torch.channels_last)
    x = x.to(memory_format=torch.channels_last)
if frozen:
    model.freeze(frozen)
y = torch.randint(0, 10, (batch,))
trained = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.SGD(trained, lr=1e-3, momentum=0.9)


def step():
    optimiser.zero_grad(set_to_none=True)
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimiser.step()
    return loss.item()


for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        start = time.perf_counter()
        loss = step()
        times.append((time.perf_counter() - start) * 1e3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": times, "loss": loss, "memory": peak - base, "parameters": sum(p.numel() for p in trained),
                      "version": f"torch {torch.__version__}"}), flush=True)
