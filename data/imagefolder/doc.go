// Package imagefolder reads pictures that are sorted into folders by their class:
//
//	DIR/train/CLASS/.../*.png, *.jpg, *.jpeg, *.jpe, *.jfif
//	DIR/val/CLASS/.../*.png, *.jpg, *.jpeg, *.jpe, *.jfif
//
// The names of the classes' folders, in alphabetical order, are the classes; they are UTF-8, and
// letters with accents are in their composed form (NFC) whatever the file system does. Endings
// may be in capitals. Links are followed to the folder of a class and to a picture, but not to
// other folders inside a class. What is not read is counted, see [Folder.LeftOut]. Files are
// listed at once but decoded only when they are read, so a dataset need not fit into memory.
//
// Knows data, data/picture, shape. Never imports graph or an engine.
package imagefolder
