package gemm

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// newJob makes a product that can be under way.
func (t *Tiles[T]) newJob() *job[T] {
	r := &job[T]{Tiles: t, one: 1}
	r.packPanels, r.multiply, r.multiplyVector, r.multiplyDeep = r.packTasks, r.multiplyTasks, r.vectorTasks, r.deepTasks
	return r
}

// give takes r back, without what is the caller's.
func (t *Tiles[T]) give(r *job[T]) {
	r.a, r.b, r.c, r.bias, r.packedA, r.packedB, r.sums, r.form, r.uses = nil, nil, nil, nil, nil, nil, nil, nil, noForm
	t.jobs.Give(r)
}

// formUse is what a run does with the packed form of B.
type formUse uint8

const (
	noForm formUse = iota
	makesForm
	readsForm
)

// job is one product under way.
type job[T isa.Float] struct {
	*Tiles[T]
	plan
	a, b, c, bias    []T
	packedA, packedB []T
	form             []T // see Packing
	uses             formUse
	sums             []T // of a vector product, before bias and activation
	one              T   // for kernels to point at, 1 for good

	// The current block: columns j0 to j1, k0 to k1, row panels i0 to i1.
	i0, i1, j0, j1, k0, k1 int

	first, pitch int // the panel at which packedB begins, and elements from panel to panel

	packPanels, multiply, multiplyVector, multiplyDeep func(lo, hi int) // bound once, so that loops allocate nothing
}

// split hands out scratch memory.
func (r *job[T]) split(scratch []T) {
	if r.vector {
		r.sums = scratch
		return
	}
	if r.scratch == 0 {
		return
	}
	line := isa.Alignment * int(unsafe.Sizeof(T(0)))
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(scratch)))&uintptr(line-1)) / int(unsafe.Sizeof(T(0)))
	scratch = scratch[off:]
	r.first, r.pitch = 0, r.nr*r.kc
	if r.packB {
		n := r.nc * r.kc
		r.packedB, scratch = scratch[:n], scratch[n:]
	}
	if r.packA {
		r.packedA = scratch[:r.mc*r.Tallest(r.vecs)*r.kc]
	}
}

// all runs the blocks: columns outermost, then k, then rows.
func (r *job[T]) all(pool *par.Pool) {
	if r.vector {
		r.k0, r.k1 = 0, r.K
		pool.For(isa.Ceil(r.N, r.cols), 1, r.multiplyVector)
		return
	}
	for r.j0 = 0; r.j0 < r.N; r.j0 = r.j1 {
		r.j1 = min(r.j0+r.nc, r.N)
		if r.deep {
			pool.For(r.colTasks(), 1, r.multiplyDeep)
			continue
		}
		r.k0, r.k1 = 0, min(r.kc, r.K)
		for {
			r.block(pool)
			if r.k1 == r.K {
				break
			}
			r.k0, r.k1 = r.k1, min(r.k1+r.kc, r.K)
		}
	}
}

// block multiplies columns j0 to j1 in k0 to k1.
func (r *job[T]) block(pool *par.Pool) {
	for r.i0 = 0; r.i0 < r.mrs; r.i0 = r.i1 {
		r.i1 = min(r.i0+r.mc, r.mrs)
		n := 0
		if r.packB && r.i0 == 0 && r.uses != readsForm {
			n = r.colPanels()
		}
		if r.packA {
			n += r.i1 - r.i0
		}
		if k := r.k1 - r.k0; k > 0 {
			if r.uses != noForm {
				r.first, r.pitch, r.packedB = 0, r.nr*k, r.form[isa.RoundUp(r.N, r.nr)*r.k0:]
			}
			pool.For(n, max(1, isa.TaskWork/16/(r.nr*k)), r.packPanels)
		}
		if r.uses == makesForm {
			return
		}
		pool.For(r.rowTasks()*r.colTasks(), 1, r.multiply)
	}
}

func (r *job[T]) colPanels() int { return isa.Ceil(r.j1-r.j0, r.nr) }
func (r *job[T]) colTasks() int  { return isa.Ceil(r.colPanels(), r.cols) }
func (r *job[T]) rowTasks() int  { return isa.Ceil(r.i1-r.i0, r.rows) }

// row is the first row of a row panel.
func (r *job[T]) row(panel int) int { return r.M * panel / r.mrs }

// packTasks packs panels: first those of B, where it is their turn, then those of A.
func (r *job[T]) packTasks(lo, hi int) {
	panelsB := 0
	if r.packB && r.i0 == 0 {
		panelsB = r.colPanels()
	}
	for i := lo; i < hi; i++ {
		if i < panelsB {
			r.packBPanel(i)
		} else {
			r.packAPanel(i - panelsB)
		}
	}
}

// packBPanel copies a panel of B to rows of nr values, 0 beyond the last column.
func (r *job[T]) packBPanel(panel int) {
	j := r.j0 + panel*r.nr
	n, k := min(r.nr, r.N-j), r.k1-r.k0
	dst := r.packedB[(panel-r.first)*r.pitch:][:r.nr*k]
	if r.TransB {
		r.packColumns(dst, r.nr, r.b[j*r.LDB+r.k0:], r.LDB, n, k)
	} else {
		packRows(dst, r.nr, r.b[r.k0*r.LDB+j:], r.LDB, n, k)
	}
	if r.flush {
		isa.FlushAll(dst)
	}
}

// packBPanels is packBPanel for those from j to j1. Rows are read as they lie in memory, and not
// once for each panel.
func (r *job[T]) packBPanels(j, j1 int) {
	if r.TransB || r.flush {
		for ; j < j1; j++ {
			r.packBPanel(j)
		}
		return
	}
	for k := range r.k1 - r.k0 {
		row := r.b[(r.k0+k)*r.LDB:][:r.N]
		for panel := j; panel < j1; panel++ {
			d := r.packedB[(panel-r.first)*r.pitch+k*r.nr:][:r.nr]
			clear(d[copy(d, row[r.j0+panel*r.nr:]):])
		}
	}
}

// packAPanel copies a panel of A so that the rows' values for one k stand together.
func (r *job[T]) packAPanel(panel int) {
	i, end := r.row(r.i0+panel), r.row(r.i0+panel+1)
	m, k := end-i, r.k1-r.k0
	dst := r.packedA[(i-r.row(r.i0))*r.kc:][:m*k]
	if r.TransA {
		packRows(dst, m, r.a[r.k0*r.LDA+i:], r.LDA, m, k)
	} else {
		r.packColumns(dst, m, r.a[i*r.LDA+r.k0:], r.LDA, m, k)
	}
	if r.flush {
		isa.FlushAll(dst)
	}
}

// packRows copies k rows of n values to rows of width, zeroing the rest.
func packRows[T isa.Float](dst []T, width int, src []T, ld, n, k int) {
	for i := range k {
		d := dst[i*width:][:width]
		copy(d, src[i*ld:][:n])
		clear(d[n:])
	}
}

// packColumns transposes n rows of k > 0 values to k rows of width, zeroing the rest.
func (t *Tiles[T]) packColumns(dst []T, width int, src []T, ld, n, k int) {
	size := int(unsafe.Sizeof(T(0)))
	for j := 0; j < n; j += t.Width {
		t.transpose(k, min(t.Width, n-j), at(src, j*ld), ld*size, at(dst, j), width*size)
	}
	if n == width {
		return
	}
	for i := range k {
		clear(dst[i*width+n:][:width-n])
	}
}

// multiplyTasks runs tasks of the current block, which are numbered down the columns, so that
// tasks near each other share panels of B.
func (r *job[T]) multiplyTasks(lo, hi int) {
	down := r.rowTasks()
	for task := lo; task < hi; task++ {
		j := task / down * r.cols
		i := r.i0 + task%down*r.rows
		j1 := min(j+r.cols, r.colPanels())
		for end := min(i+r.rows, r.i1); i < end; i++ {
			r.rowPanel(i, j, j1)
		}
	}
}

// deepTasks runs tasks of some columns each, where A has few rows: a worker multiplies what it
// has just packed, and waits for nobody.
func (r *job[T]) deepTasks(lo, hi int) {
	q := *r // the workers are not at the same depth
	for task := lo; task < hi; task++ {
		j := task * q.cols
		j1 := min(j+q.cols, q.colPanels())
		for q.k0 = 0; q.k0 < q.K; q.k0 = q.k1 {
			q.k1 = min(q.k0+q.kc, q.K)
			if q.uses != noForm {
				q.first, q.pitch = j, q.nr*(q.k1-q.k0)
				q.packedB = q.formAt(j, j1, q.k0)
			}
			if q.uses != readsForm {
				q.packBPanels(j, j1)
			}
			if q.uses == makesForm {
				continue
			}
			for i := range q.mrs {
				q.fetchNext(i, j, j1)
				q.rowPanel(i, j, j1)
			}
		}
	}
}

// formAt is the packed form from row k of column panels j to j1 on, which are a task's. There the
// panels of a block follow each other, and the blocks of a task.
func (r *job[T]) formAt(j, j1, k int) []T {
	return r.form[(r.j0+j*r.nr)*r.K+(j1-j)*r.nr*k:]
}

// fetchNext asks for the i-th part, one for each row panel, of B's next block: so memory is read
// while the processor multiplies.
func (r *job[T]) fetchNext(i, j, j1 int) {
	depth := min(r.kc, r.K-r.k1)
	if depth == 0 || r.Fetch == nil {
		return
	}
	const line = 64
	size := int(unsafe.Sizeof(T(0)))
	if r.uses == readsForm {
		n := (j1 - j) * r.nr * depth
		from, to := n*i/r.mrs, n*(i+1)/r.mrs
		if lines := (to - from) * size / line; lines > 0 {
			r.Fetch(1, lines, (*byte)(unsafe.Pointer(at(r.formAt(j, j1, r.k1), from))), 0)
		}
		return
	}
	col := r.j0 + j*r.nr
	rows, cols, from := depth, min((j1-j)*r.nr, r.N-col), r.k1*r.LDB+col
	if r.TransB {
		rows, cols, from = cols, rows, col*r.LDB+r.k1
	}
	first, end := rows*i/r.mrs, rows*(i+1)/r.mrs
	if first < end {
		r.Fetch(end-first, isa.Ceil(cols*size, line), (*byte)(unsafe.Pointer(at(r.b, from+first*r.LDB))), r.LDB*size)
	}
}

// rowPanel multiplies row panel i by the column panels from j to j1 of the block.
func (r *job[T]) rowPanel(i, j, j1 int) {
	size := int(unsafe.Sizeof(T(0)))
	k := r.k1 - r.k0
	row := r.row(i)
	rows := r.row(i+1) - row
	a, ars, aks := r.operandA(row, rows)
	most := max(isa.CallWork/(max(k, 1)*rows*r.nr), 1)
	flags := r.flags()
	for j < j1 {
		col := r.j0 + j*r.nr
		n, vecs, last := j1-j, r.vecs, r.Width
		if tail := r.j1 - (r.j0 + (j1-1)*r.nr); tail < r.nr {
			if n--; n == 0 { // only the partial panel is left
				n, vecs = 1, isa.Ceil(tail, r.Width)
				last = tail - (vecs-1)*r.Width
			}
		}
		n = min(n, most)
		b, bks, bps := r.operandB(j)
		r.Kernel[vecs][rows](1, n, k, a, ars*size, aks*size, b, bks*size, bps*size,
			at(r.c, row*r.LDC+col), r.LDC*size, r.biasAt(row, col), flags, last)
		j += n
	}
}

// operandA returns where a row panel begins in the current block, and its strides.
func (r *job[T]) operandA(row, rows int) (a *T, ars, aks int) {
	switch {
	case r.K == 0:
		return unsafe.SliceData(r.a), 0, 0
	case r.packA:
		return at(r.packedA, (row-r.row(r.i0))*r.kc), 1, rows
	case r.TransA:
		return at(r.a, r.k0*r.LDA+row), 1, r.LDA
	}
	return at(r.a, row*r.LDA+r.k0), r.LDA, 1
}

// operandB returns where panel j of the current block begins, and its strides.
func (r *job[T]) operandB(j int) (b *T, bks, bps int) {
	if r.K == 0 {
		return unsafe.SliceData(r.b), 0, 0
	}
	if r.packB {
		return at(r.packedB, (j-r.first)*r.pitch), r.nr, r.pitch
	}
	return at(r.b, r.k0*r.LDB+r.j0+j*r.nr), r.LDB, r.nr
}

func (r *job[T]) biasAt(row, col int) *T {
	switch r.Bias {
	case isa.ColBias:
		return at(r.bias, col)
	case isa.RowBias:
		return at(r.bias, row)
	}
	return nil
}

// flags says what the current block does beside multiplying: blocks in k after the first add,
// and the last one finishes.
func (r *job[T]) flags() int {
	f := 0
	if r.Add || r.k0 > 0 {
		f |= abi.FlagAdd
	}
	if r.k1 < r.K {
		return f
	}
	switch r.Bias {
	case isa.ColBias:
		f |= abi.FlagColBias
	case isa.RowBias:
		f |= abi.FlagRowBias
	}
	return f | r.Act.Flags()
}

// at is &s[i].
func at[T isa.Float](s []T, i int) *T { return &s[i] }
