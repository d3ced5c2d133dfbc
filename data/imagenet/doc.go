// Package imagenet describes the data of the ImageNet Large Scale Visual Recognition Challenge
// 2012 (Russakovsky et al., 2015), which most published weights of image networks were trained
// on: the names of its 1000 classes, in the order in which networks number them, and the usual
// inputs. The pictures themselves are not here.
//
// The names in classes.txt are synonym sets of WordNet, whose licence is in LICENSE, as
// OpenCV's samples list them (classification_classes_ILSVRC2012.txt, in Debian's opencv-doc).
//
// Knows data, data/picture, shape. Never imports graph or an engine.
package imagenet
