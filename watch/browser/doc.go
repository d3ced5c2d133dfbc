// Package browser tests the page of package watch in a browser, Chromium, as users see it: it runs
// the program, draws a digit, reads the prediction, stops a run.
//
// It is a module of its own, so that who uses the library is not given what drives the browser:
//
//	go -C watch/browser test ./...
//	go -C watch/browser test ./... -shots DIR   # pictures of the page too
//
// Knows nothing of ours: it runs the command.
package browser
