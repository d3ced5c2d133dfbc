// Package mnistnet is a small convolutional network for images of 28 by 28 pixels, such as the
// digits of MNIST: 3×3 filters in the manner of Simonyan and Zisserman (Very Deep Convolutional
// Networks, 2015), each followed by batch normalisation (Ioffe and Szegedy, 2015), and global
// average pooling (Lin et al., Network in Network, 2014). It is of nobody's paper: it is as large
// as two cores can train well within ten minutes.
//
// Knows nn. Never imports vm or train.
package mnistnet
