// Package watch serves a web page that shows training in a browser.
//
// A [Run] is shown while it trains: loss and accuracy, images per second, the learning rate, norms
// of gradients and updates by layer, activation maps of some images, and the memory plan. The page
// can stop the run, which is then saved. When the run is over, a digit can be drawn, or a picture
// chosen, to see the prediction and the maps of every layer. [Folders] shows runs from the files
// that [train.Fit] writes, side by side, both finished ones and those in progress.
//
// [Serve] binds to the loopback interface unless told otherwise, answers only to names of its own
// host, and changes nothing without the token of its page and a request from that page. Everything
// that the page needs is embedded. Training never waits for a browser: a step writes a few numbers
// into tables of a fixed size, and each browser reads them at its own pace. Other computations for
// the page take at most a hundredth of the time. A run that is not watched computes none of this.
//
// Knows shape, graph, ops, autodiff, nn, optim, engine, vm, data, data/picture, train, train/metrics
// and tensor. Never imports models, nor an implementation of engine. Besides commands, only watch and
// serve import net/http.
package watch
