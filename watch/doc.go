// Package watch serves a page on which training can be watched in a browser.
//
// A [Run] is shown while it is made: loss and accuracy, images a second, the learning rate, norms of
// gradients and updates by layer, what the layers make of some images, the memory plan. The page can
// stop the run, which is saved then, and when it is over a digit can be drawn, or a picture chosen,
// to see the prediction and every layer's maps. [Folders] shows runs from the files that
// [train.Fit] leaves, side by side, finished ones and those that are still going on.
//
// [Serve] binds to the loopback interface unless told otherwise, answers only to names of its own
// host, and changes nothing without the token of its page and a request from that page. Everything
// that the page needs is embedded. Training never waits for a browser: a step writes a few numbers
// into tables of a fixed size, and each browser reads them at its own pace. What is computed besides
// takes at most a hundredth of the time. A run that is not watched computes nothing of this.
//
// Knows shape, graph, ops, autodiff, nn, optim, engine, vm, data, data/picture, train and tensor.
// Never imports models, nor an implementation of engine. Of all packages it is the one that imports net/http, beside
// commands.
package watch
