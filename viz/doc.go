// Package viz draws what a training run leaves behind: Curves (loss and accuracy), Plot (any
// curves), Confusion (a confusion matrix) and Images (filters, misclassified digits). Each is a
// plain value that Render turns into an image; WritePNG saves it whole or not at all. A Diagram (of
// a network) becomes an SVG file. For web pages there are a Mosaic of tiles without captions, of
// which Diverging, Heat and Overlay make those in colour, and Scatter and Bars, which are SVG.
//
// Colours are told apart by colour-blind readers, text is set in the Go fonts, which travel inside
// the binary, and equal input gives equal bytes. Nothing here panics for what it is given: points
// that are not finite are gaps, nothing to draw is said in the picture, and what cannot be drawn is
// one error.
//
// Knows the standard library and golang.org/x/image. Never imports graph, ops, vm, train or cmd.
package viz
