"""torch.compile on the CPU loses the gradient of max pool (PyTorch 2.13.0): the loss is right, the convolutions get 0.

python benchmarks/smoke_compile.py      with the Python that has PyTorch and a C++ compiler; prints both norms
"""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(
    *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2304, 32))
)
x = torch.randn(16, 1, 28, 28)
for run in (net, torch.compile(net)):
    net.zero_grad()
    run(x).square().sum().backward()
    print(float(net[0].weight.grad.norm()), float(net[6].weight.grad.norm()))  # 14.7 293.1, then 0.0 293.1
