// Package cases is the table of gradient checks of the catalogue: for each op its attributes,
// the shapes and values of its inputs, and how closely finite differences must agree. Tests
// and the gradcheck command run it.
//
// An op that is only ever part of a gradient, such as the adjoint of a convolution, is
// checked where the gradient that it is part of is differentiated again.
//
// Knows shape, graph, ops, engine, autodiff and autodiff/gradcheck. Never imports vm or an
// implementation of engine.
package cases
