// Package fashion reads Fashion-MNIST, photographs of clothes in the format of MNIST: 60,000 for
// training and 10,000 for testing, (1,28,28), of ten classes. The four files are not embedded; they
// are published by Zalando Research under the MIT licence, and packaged as dataset-fashion-mnist by
// Debian, in /usr/share/datasets/fashion-mnist. A sample of 3,000 images is embedded; see the file
// LICENSE in the folder sample.
//
// The database is described in Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for
// benchmarking machine learning algorithms" (2017), https://arxiv.org/abs/1708.07747.
//
// Knows shape, data and data/mnist. Never imports graph or an engine.
package fashion
