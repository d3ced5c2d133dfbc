// Package inspect computes what can be seen of a trained network: its filters and activation maps,
// the patches of images that excite a channel most and what a deconvnet makes of them (Zeiler and
// Fergus, 2013), which pixels an output comes from (saliency, integrated gradients, Grad-CAM,
// occlusion), a map of the last hidden layer in two dimensions (t-SNE), mistakes, histograms, dead
// units. It draws nothing; package viz does.
//
// A [Network] is any graph with one Input for a batch, whatever layers made it: convolutions,
// rectifiers and the last hidden layer are found in the graph. What needs derivatives are nodes of
// a graph, for use in programs of one's own too: [Score], [Saliency], [GradCAM], [Deconvnet].
//
// Knows shape, graph, ops, autodiff, nn, optim, engine, vm, data, train and tensor. Never imports an
// implementation of engine, viz or cmd.
package inspect
