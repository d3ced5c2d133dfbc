// Package nn describes networks. A [Layer] is a plain value without weights; applying it to
// a node makes the parameters it needs in a [Scope], under names such as
// "features.0.weight", and returns the node of its result. A model is a layer made of
// layers, most often a [Sequential]; it can be applied to any number of graphs.
//
// Layers follow the element type and the channels of their input, so that neither is given
// twice. Images are (N,C,H,W). A layer that cannot take its input records one error in the
// graph, with the user's line and the layer's path, and layers return an invalid input as it
// is. Names, layouts and defaults are those of PyTorch, so that weights can be exchanged.
//
// Knows graph, ops, shape. Never imports vm, engine or optim.
package nn
