// Package inspect computes what a trained network has learned: its filters and activation maps, the
// image patches that excite a channel most and their deconvnet reconstructions (Zeiler and Fergus,
// 2013), the pixels that an output depends on (saliency, integrated gradients, Grad-CAM,
// occlusion), a map of the last hidden layer in two dimensions (t-SNE), mistakes, histograms and
// dead units. It draws nothing; package viz does.
//
// A [Network] is any graph with one Input for a batch, made by any layers: convolutions, rectifiers
// and the last hidden layer are found in the graph. Quantities that need derivatives are also
// available as nodes of a graph, for programs of your own: [Score], [Saliency], [GradCAM],
// [Deconvnet].
//
// Knows shape, graph, ops, autodiff, nn, optim, engine, vm, data, train and tensor. Never imports
// an implementation of engine, viz or cmd.
package inspect
