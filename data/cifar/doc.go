// Package cifar reads CIFAR-10 and CIFAR-100 in their binary versions: 50,000 colour images for
// training and 10,000 for testing, (3,32,32). The files are a sequence of records
//
//	1 byte        class, in CIFAR-10
//	2 bytes       superclass and class, in CIFAR-100
//	3072 bytes    red, green and blue planes of 32 by 32 pixels, row-major
//
// and nothing else. The databases are not embedded.
//
// They are described in Krizhevsky, "Learning multiple layers of features from tiny images" (2009),
// https://www.cs.toronto.edu/~kriz/cifar.html.
//
// Knows data, data/picture, shape, internal/regular. Never imports graph or an engine.
package cifar
