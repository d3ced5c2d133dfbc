package lenet

import "github.com/plexaura/plexaura/nn"

// Model is the modern form: it maps images (N,1,28,28) to logits (N,10), with 61,706
// parameters.
var Model = nn.Sequential{
	nn.Conv2D{Name: "conv1", Out: 6, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
	nn.Conv2D{Name: "conv2", Out: 16, Kernel: 5}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
	nn.Flatten{},
	nn.Linear{Name: "fc1", Out: 120}, nn.ReLU{},
	nn.Linear{Name: "fc2", Out: 84}, nn.ReLU{},
	nn.Linear{Name: "fc3", Out: 10},
}
