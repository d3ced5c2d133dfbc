// Package mnist provides the MNIST database of handwritten digits: 60,000 images for training and
// 10,000 for testing, (1,28,28), white ink on black, embedded in the program. It also reads a
// folder with files in the same format, and prepares a picture of a digit in the same way as the
// images of the database.
//
// MNIST was made by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, and is licensed under
// CC BY-SA 3.0; see the file LICENSE in this folder. It is described in LeCun, Bottou, Bengio and
// Haffner, "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86
// (1998).
//
// Knows shape, data and data/idx. Never imports graph or an engine.
package mnist
