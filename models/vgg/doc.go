// Package vgg has the networks of Simonyan and Zisserman (Very Deep Convolutional Networks for
// Large-Scale Image Recognition, 2015). Parameters have the names that published weight files
// use: "features.0.weight" to "classifier.6.bias".
//
// Knows nn. Never imports vm or train.
package vgg
