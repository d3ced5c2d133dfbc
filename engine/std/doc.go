// Package std runs graphs on any gorgonia tensor.Engine: tensor.StdEng, tensor.Float32Engine, one
// with cuBLAS, or a user's own. It uses those capabilities of the engine that are correct: products
// of matrices, and elementwise functions of whole tensors. All other kernels are those of the
// embedded reference engine; Bound.By says "std" or "ref".
//
// A product may skip terms with a factor of zero, even if the other factor is infinite or NaN, as
// gonum's products do. The tensor library allocates in every call, and so do these kernels.
//
// Knows shape, tensor, engine and engine/ref. Never imports graph or ops.
package std
