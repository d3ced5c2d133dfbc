// Package viz draws the results of a training run: Curves (loss and accuracy), Plot (any curves),
// Confusion (a confusion matrix) and Images (filters, misclassified digits). Each is a plain value
// that Render turns into an image; WritePNG saves it atomically. A Diagram (of a network) becomes
// an SVG file. For web pages there are a Mosaic of tiles without captions, coloured tiles made by
// Diverging, Heat and Overlay, and Scatter and Bars, which are SVG.
//
// Colours are distinguishable for colour-blind readers, text is set in the Go fonts, which are
// embedded in the binary, and equal input gives equal bytes. Nothing here panics for invalid input:
// points that are not finite become gaps, a picture without data says so, and input that cannot be
// drawn is one error.
//
// Knows the standard library and golang.org/x/image. Never imports graph, ops, vm, train or cmd.
package viz
