// Package imagenet describes the data of the ImageNet Large Scale Visual Recognition Challenge
// 2012 (Russakovsky et al., 2015), which most published weights of image networks were trained
// on: the names of its 1000 classes, in the order in which networks number them, and the usual
// inputs. The pictures themselves are not here.
//
// The names in classes.txt are synonym sets of WordNet 3.0 (copyright 2006 Princeton University,
// WordNet licence), as the samples of OpenCV have them (classification_classes_ILSVRC2012.txt of
// Debian's opencv-doc 4.6.0, Apache 2.0).
//
// Knows data, data/picture, shape. Never imports graph or an engine.
package imagenet
