package vec

import "github.com/plexaura/plexaura/internal/simd/isa"

// gateKernels are the steps of recurrent cells of one level, on n > 0 units of a row. Planes of an
// operand are stride bytes apart, and those of pre pitch. Plain Go has none: it takes maps.
type gateKernels struct {
	lstm     func(n, stride, pitch int, pre, x, prev, planes, h *float32) (csr uint32)
	gru      func(n, stride, pitch int, pre, x, prev, planes *float32) (csr uint32)
	lstmGrad func(n, stride int, dh, dy, dc, planes, prev, carry, out *float32) (csr uint32)
	gruGrad  func(n, stride int, dh, dy, planes, prev, carry, out *float32) (csr uint32)
}

// Rows are rows of numbers, of which each begins Row elements after the one before.
type Rows[T isa.Float] struct {
	V   []T
	Row int
}

// from is row i from plane k on, if planes are so far apart.
func (r Rows[T]) from(i, k, stride int) []T { return r.V[i*r.Row+k*stride:] }

// holds panics unless the last of several rows has so many elements.
func (r Rows[T]) holds(rows, n int) { _ = r.V[(rows-1)*r.Row+n-1] }

// Gates are the operands of a step of a recurrent cell, for N units of some rows. Planes of an operand
// are Stride elements apart, and those of Pre Pitch. An LSTM's gates are i, f, g and o, a GRU's r, z
// and n.
type Gates[T isa.Float] struct {
	Rows, N       int
	Stride, Pitch int
	Pre, X        Rows[T] // what the hidden state, with its bias, and the inputs contribute to the gates: a plane each
	Prev          Rows[T] // c of the step before, or a GRU's h
	H             Rows[T] // set to h; it is the first of a GRU's planes
	Planes        Rows[T] // set to c, i, f, g and o, or to h, r, z, n and q, which is the plane n of Pre
}

// LSTM computes c = f*prev + i*g and h = o*tanh(c), where i, f and o are sigmoids and g is a tanh.
func LSTM[T isa.Float](k *Kernels, s *Gates[T]) {
	if s.Rows == 0 {
		return
	}
	if g, ok := any(s).(*Gates[float32]); ok && k.lstm != nil {
		g.Pre.holds(g.Rows, 3*g.Pitch+g.N)
		g.X.holds(g.Rows, 3*g.Stride+g.N)
		g.Prev.holds(g.Rows, g.N)
		g.H.holds(g.Rows, g.N)
		g.Planes.holds(g.Rows, 4*g.Stride+g.N)
		for i := range g.Rows {
			k.lstm(g.N, 4*g.Stride, 4*g.Pitch, &g.Pre.V[i*g.Pre.Row], &g.X.V[i*g.X.Row], &g.Prev.V[i*g.Prev.Row], &g.Planes.V[i*g.Planes.Row], &g.H.V[i*g.H.Row])
		}
		return
	}
	for row := range s.Rows {
		c, i, f, g, o, h := s.plane(row, 0), s.plane(row, 1), s.plane(row, 2), s.plane(row, 3), s.plane(row, 4), s.H.from(row, 0, 0)[:s.N]
		for j, y := range [...][]T{i, f, g, o} {
			along(k, Add, y, s.Pre.from(row, j, s.Pitch), s.X.from(row, j, s.Stride))
		}
		for _, y := range [...][]T{i, f, o} {
			along(k, Sigmoid, y, y, y)
		}
		along(k, Tanh, g, g, g)
		along(k, Mul, c, f, s.Prev.from(row, 0, 0))
		along(k, Mul, h, i, g)
		along(k, Add, c, c, h)
		along(k, Tanh, h, c, c)
		along(k, Mul, h, h, o)
	}
}

// GRU computes n = tanh(x + r*q) and h = n + z*(prev-n), where r and z are sigmoids.
func GRU[T isa.Float](k *Kernels, s *Gates[T]) {
	if s.Rows == 0 {
		return
	}
	if g, ok := any(s).(*Gates[float32]); ok && k.gru != nil {
		g.Pre.holds(g.Rows, 2*g.Pitch+g.N)
		g.X.holds(g.Rows, 2*g.Stride+g.N)
		g.Prev.holds(g.Rows, g.N)
		g.Planes.holds(g.Rows, 4*g.Stride+g.N)
		for i := range g.Rows {
			k.gru(g.N, 4*g.Stride, 4*g.Pitch, &g.Pre.V[i*g.Pre.Row], &g.X.V[i*g.X.Row], &g.Prev.V[i*g.Prev.Row], &g.Planes.V[i*g.Planes.Row])
		}
		return
	}
	for row := range s.Rows {
		h, r, z, n, q := s.plane(row, 0), s.plane(row, 1), s.plane(row, 2), s.plane(row, 3), s.plane(row, 4)
		for j, y := range [...][]T{r, z} {
			along(k, Add, y, s.Pre.from(row, j, s.Pitch), s.X.from(row, j, s.Stride))
			along(k, Sigmoid, y, y, y)
		}
		copy(q, s.Pre.from(row, 2, s.Pitch))
		along(k, Mul, n, r, q)
		along(k, Add, n, n, s.X.from(row, 2, s.Stride))
		along(k, Tanh, n, n, n)
		along(k, Sub, h, s.Prev.from(row, 0, 0), n)
		along(k, Mul, h, h, z)
		along(k, Add, h, h, n)
	}
}

func (s *Gates[T]) plane(row, k int) []T { return s.Planes.from(row, k, s.Stride)[:s.N] }

// along is Map or Map64 without a constant.
func along[T isa.Float](k *Kernels, op Op, dst, x, y []T) {
	switch d := any(dst).(type) {
	case []float32:
		k.Map(op, d, any(x).([]float32), any(y).([]float32), 0)
	case []float64:
		k.Map64(op, d, any(x).([]float64), any(y).([]float64), 0)
	}
}

// GateGrads are the operands of the gradient of a step.
type GateGrads[T isa.Float] struct {
	Rows, N, Stride int
	DH, DY          Rows[T] // the two terms of the adjoint of h
	DC              Rows[T] // what is added to that of c; a GRU has none
	Inner           Rows[T] // the adjoints of the last four planes, if there are any
	Planes          Rows[T] // as [Gates] has them
	Prev            Rows[T]
	Carry           Rows[T] // the last term of the adjoint of c, or of a GRU's h; set to that of the step before
	Out             Rows[T] // set to the adjoints of i, f, g and o before their functions; or of n, r and z, and of q
}

// holds panics unless all operands that both cells have are as long as they must be.
func (s *GateGrads[T]) holds() {
	for _, r := range [...]*Rows[T]{&s.DH, &s.DY, &s.Prev, &s.Carry} {
		r.holds(s.Rows, s.N)
	}
	s.Planes.holds(s.Rows, 4*s.Stride+s.N)
	s.Out.holds(s.Rows, 3*s.Stride+s.N)
}

// LSTMGrad computes the gradient of [LSTM].
func LSTMGrad[T isa.Float](k *Kernels, s *GateGrads[T]) {
	if s.Rows == 0 {
		return
	}
	if g, ok := any(s).(*GateGrads[float32]); ok && k.lstmGrad != nil && g.Inner.V == nil {
		g.holds()
		g.DC.holds(g.Rows, g.N)
		for i := range g.Rows {
			k.lstmGrad(g.N, 4*g.Stride, &g.DH.V[i*g.DH.Row], &g.DY.V[i*g.DY.Row], &g.DC.V[i*g.DC.Row], &g.Planes.V[i*g.Planes.Row],
				&g.Prev.V[i*g.Prev.Row], &g.Carry.V[i*g.Carry.Row], &g.Out.V[i*g.Out.Row])
		}
		return
	}
	u := s.Stride
	for row := range s.Rows {
		out, planes, inner := s.Out.from(row, 0, 0), s.Planes.from(row, 0, 0), s.inner(row)
		dhs, dys, dcs, prev, carry := s.DH.from(row, 0, 0), s.DY.from(row, 0, 0), s.DC.from(row, 0, 0), s.Prev.from(row, 0, 0), s.Carry.from(row, 0, 0)
		along(k, Tanh, out[3*u:][:s.N], planes, planes)
		for j := range s.N {
			i, f, g, o, t := planes[u+j], planes[2*u+j], planes[3*u+j], planes[4*u+j], out[3*u+j]
			dh := dhs[j] + dys[j]
			dc := dh*o*(1-t*t) + carry[j] + dcs[j]
			out[j] = (dc*g + inner(0, j)) * i * (1 - i)
			out[u+j] = (dc*prev[j] + inner(1, j)) * f * (1 - f)
			out[2*u+j] = (dc*i + inner(2, j)) * (1 - g*g)
			out[3*u+j] = (dh*t + inner(3, j)) * o * (1 - o)
			carry[j] = dc * f
		}
	}
}

// GRUGrad computes the gradient of [GRU].
func GRUGrad[T isa.Float](k *Kernels, s *GateGrads[T]) {
	if s.Rows == 0 {
		return
	}
	if g, ok := any(s).(*GateGrads[float32]); ok && k.gruGrad != nil && g.Inner.V == nil {
		g.holds()
		for i := range g.Rows {
			k.gruGrad(g.N, 4*g.Stride, &g.DH.V[i*g.DH.Row], &g.DY.V[i*g.DY.Row], &g.Planes.V[i*g.Planes.Row], &g.Prev.V[i*g.Prev.Row],
				&g.Carry.V[i*g.Carry.Row], &g.Out.V[i*g.Out.Row])
		}
		return
	}
	u := s.Stride
	for row := range s.Rows {
		out, planes, inner := s.Out.from(row, 0, 0), s.Planes.from(row, 0, 0), s.inner(row)
		dhs, dys, prev, carry := s.DH.from(row, 0, 0), s.DY.from(row, 0, 0), s.Prev.from(row, 0, 0), s.Carry.from(row, 0, 0)
		for j := range s.N {
			r, z, n, q := planes[u+j], planes[2*u+j], planes[3*u+j], planes[4*u+j]
			dh := dhs[j] + dys[j] + carry[j]
			dn := (dh*(1-z) + inner(2, j)) * (1 - n*n)
			out[j] = dn
			out[u+j] = (dn*q + inner(0, j)) * r * (1 - r)
			out[2*u+j] = (dh*(prev[j]-n) + inner(1, j)) * z * (1 - z)
			out[3*u+j] = dn*r + inner(3, j)
			carry[j] = dh * z
		}
	}
}

// inner returns a function of plane and unit: the adjoints of a row, or zeros.
func (s *GateGrads[T]) inner(row int) func(k, j int) T {
	if s.Inner.V == nil {
		return func(int, int) T { return 0 }
	}
	v := s.Inner.from(row, 0, 0)
	return func(k, j int) T { return v[k*s.Stride+j] }
}
