// Package imagefolder reads pictures that are sorted into folders by their class:
//
//	DIR/train/CLASS/.../*.png, *.jpg, *.webp, ...
//	DIR/val/CLASS/.../*.png, *.jpg, *.webp, ...
//
// or DIR/CLASS/..., of which [Split] keeps a part for validation. The endings are those of
// [picture.Extensions].
//
// The classes are the names of the class folders, in alphabetical order. They must be UTF-8;
// accented letters are in composed form (NFC), whatever the file system does. Extensions may be in
// capitals. Links to the folder of a class and to a picture are followed, but not links to other
// folders inside a class. Files that are not read are counted, see [Folder.LeftOut]. Files are
// listed at once but decoded only when they are read, so a dataset need not fit into memory.
//
// Knows data, data/picture, shape. Never imports graph or an engine.
package imagefolder
