// Package std runs graphs on any gorgonia tensor.Engine: tensor.StdEng, tensor.Float32Engine, one
// with cuBLAS, a user's own. What such an engine has and does right goes through it: products of
// matrices, and elementwise functions of whole tensors. The rest comes from the reference engine
// that is embedded; Bound.By says "std" or "ref".
//
// A product may leave out terms with a factor of zero, even if the other one is infinite or NaN,
// as gonum's does. The tensor library allocates in every call, and so do these kernels.
//
// Knows shape, tensor, engine and engine/ref. Never imports graph or ops.
package std
