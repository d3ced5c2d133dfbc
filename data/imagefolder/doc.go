// Package imagefolder reads pictures that are sorted into folders by their class:
//
//	DIR/train/CLASS/.../*.png, *.jpg, *.jpeg
//	DIR/val/CLASS/.../*.png, *.jpg, *.jpeg
//
// The names of the classes' folders, in alphabetical order, are the classes. Files are listed
// at once but decoded only when they are read, so a dataset need not fit into memory.
//
// Knows data, data/picture, shape. Never imports graph or an engine.
package imagefolder
