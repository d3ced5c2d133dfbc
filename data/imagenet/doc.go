// Package imagenet describes the data of the ImageNet Large Scale Visual Recognition Challenge 2012
// (Russakovsky et al., 2015), on which most published weights of image networks were trained: the
// names of its 1000 classes, in the order of the networks' outputs, and the usual inputs. It does
// not contain the pictures.
//
// The names in classes.txt are synonym sets of WordNet, whose licence is in LICENSE, as listed by
// OpenCV's samples (classification_classes_ILSVRC2012.txt, in Debian's opencv-doc).
//
// Knows data, data/picture, shape. Never imports graph or an engine.
package imagenet
