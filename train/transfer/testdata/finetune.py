"""Fine-tunes a network in PyTorch: start.pth, data.pth and end.pth go into the folder given, for the test that does the same here."""
import collections, os, sys
import torch
from torch import nn

folder = sys.argv[1]
torch.manual_seed(3)


def network(classes):
    return nn.Sequential(collections.OrderedDict(
        conv1=nn.Conv2d(1, 3, 3, padding=1), norm1=nn.BatchNorm2d(3), relu1=nn.ReLU(), conv2=nn.Conv2d(3, 4, 3), norm2=nn.BatchNorm2d(4), relu2=nn.ReLU(),
        flatten=nn.Flatten(), fc=nn.Linear(16, classes)))


net = network(2)
for n in (net.norm1, net.norm2):
    n.running_mean.uniform_(-1, 1), n.running_var.uniform_(0.5, 2)
x, y = torch.randn(8, 1, 4, 4), torch.arange(8) % 2
torch.save({"epoch": 7, "model_state_dict": {"module." + k: v for k, v in net.state_dict().items()}}, os.path.join(folder, "start.pth"))
torch.save({"x": x, "y": y.int()}, os.path.join(folder, "data.pth"))

frozen = [*net.conv1.parameters(), *net.norm1.parameters()]
slow = [*net.conv2.parameters()]
rest = [p for p in net.parameters() if not any(p is q for q in frozen + slow)]
opt = torch.optim.Adam([{"params": frozen + rest}, {"params": slow, "lr": 0.002}], lr=0.02, eps=1e-3)
for epoch in range(1, 7):
    net.train()
    for p in frozen:
        p.requires_grad_(epoch >= 4)
    if epoch < 4:
        net.norm1.eval()
    opt.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
torch.save(net.state_dict(), os.path.join(folder, "end.pth"))

torch.save({"network." + k: v.half() for k, v in network(5).state_dict().items()}, os.path.join(folder, "other.pth"))
try:
    import torchvision
    torch.save(torchvision.models.resnet18(num_classes=7).state_dict(), os.path.join(folder, "resnet18.pth"))
except ImportError:
    pass
