// Package mnistnet has small convolutional networks for images of 28 by 28 pixels, in the manner of
// Simonyan and Zisserman (Very Deep Convolutional Networks, 2015): 3×3 filters, each followed by batch
// normalisation (Ioffe and Szegedy, 2015). They are of nobody's paper: each is as large as two cores
// can train well in the given time.
//
// [Model] reads the digits of MNIST and ends in global average pooling (Lin et al., Network in
// Network, 2014), for trainings of ten minutes. [NewDense] learns the same digits in less than one,
// and [NewWide] the clothes of Fashion-MNIST in about five.
//
// Knows nn. Never imports vm or train.
package mnistnet
