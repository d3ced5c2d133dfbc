// Package nn describes networks. A [Layer] is a plain value without weights. Applying it to a node
// creates the parameters it needs in a [Scope], under names such as "features.0.weight", and
// returns the node of its result. A model is a layer made of layers, usually a [Sequential]. It can
// be applied to any number of graphs.
//
// Layers take their element type and number of channels from their input, so that neither is
// repeated. Images are (N,C,H,W). A layer that cannot accept its input records one error in the
// graph, with the user's line and the layer's path. Layers return an invalid input unchanged.
// Names, layouts and defaults are those of PyTorch, so that weights can be exchanged.
//
// Knows graph, ops, shape. Never imports vm, engine or optim.
package nn
