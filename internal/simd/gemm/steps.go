package gemm

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// StepsOp describes products C = A·op(B) + bias of the same B with one A after the other: B of
// Groups*Units columns, K deep. The columns of a group are one block of B.
type StepsOp struct {
	M                int  // about how many rows A has
	Groups, Units, K int  // Units and K are at least 1
	TransB           bool // B is stored by columns
}

// Steps compute such products, a panel of units of all groups at a time. B and bias are packed once.
// C has the rows of one panel after the other, and in a row the panel's columns of each group.
type Steps[T isa.Float] struct {
	StepsOp
	tiles *Tiles[T]
	level isa.Level

	dots     bool // by columns of B as they would be stored transposed, where A has one row
	vecs, nr int  // vectors and units of a panel
}

// StepsPanel is one panel: its units from First to End, and the Width of a group in a row of C.
type StepsPanel struct{ First, End, Width int }

const (
	// dotsUnits is how many units a panel has for products of one row by columns.
	dotsUnits = 64
	// rowVecs is how many vectors a tile must have to be faster than that: its sums are that many, and
	// wait for each other.
	rowVecs = 4
)

// StepsOf plans products. The bits of a result depend neither on the other rows of A nor on who
// computes which panels.
func StepsOf[T isa.Float](k *Kernels, op StepsOp) *Steps[T] {
	s := &Steps[T]{StepsOp: op, tiles: tilesOf[T](k), level: k.level}
	if s.dots = op.M == 1 && op.Units%4 == 0 && len(s.tiles.Kernel) <= rowVecs; s.dots {
		s.nr = dotsUnits
		return s
	}
	s.vecs = s.tiles.PanelVecs(max(op.M, 1), op.Units)
	s.nr = s.vecs * s.tiles.Width
	return s
}

// Panels is the number of panels.
func (s *Steps[T]) Panels() int { return isa.Ceil(s.Units, s.nr) }

// Panel returns panel p.
func (s *Steps[T]) Panel(p int) StepsPanel {
	first := p * s.nr
	end := min(first+s.nr, s.Units)
	if s.dots {
		return StepsPanel{first, end, end - first}
	}
	return StepsPanel{first, end, isa.RoundUp(end-first, s.tiles.Width)}
}

// Columns is how many columns C has, with those that fill up the last panel.
func (s *Steps[T]) Columns() int {
	last := s.Panel(s.Panels() - 1)
	return s.Groups * (last.First + last.Width)
}

// In is where row i of panel p of a C of m rows begins.
func (s *Steps[T]) In(p StepsPanel, m, i int) int { return s.Groups * (p.First*m + p.Width*i) }

// StepsForm names a packed form of B.
type StepsForm struct {
	op    StepsOp
	level isa.Level
	size  int // bytes of an element
	nr    int
	dots  bool
}

// Packing returns the number of elements of the packed form of B, and the name of the form. It is 0
// where B itself is used.
func (s *Steps[T]) Packing() (elements int, form StepsForm) {
	if s.dots && s.TransB {
		return 0, form
	}
	op := s.StepsOp
	op.M = 0
	return s.Columns() * s.K, StepsForm{op, s.level, int(unsafe.Sizeof(T(0))), s.nr, s.dots}
}

// Pack packs what panel p has of B into the form.
func (s *Steps[T]) Pack(p StepsPanel, b, form []T) {
	columns, n := s.Groups*s.Units, p.End-p.First
	b = b[:columns*s.K]
	if need, _ := s.Packing(); len(form) < need {
		panic(fmt.Sprintf("gemm: a packed form of %d elements, needs %d", len(form), need))
	}
	for g := range s.Groups {
		column := g*s.Units + p.First
		panel := form[s.K*(s.Groups*p.First+g*p.Width):][:s.K*p.Width]
		switch {
		case s.dots:
			s.tiles.packColumns(form[column*s.K:][:n*s.K], s.K, b[column:], columns, s.K, n)
		case s.TransB:
			s.tiles.packColumns(panel, p.Width, b[column*s.K:], s.K, n, s.K)
		default:
			packRows(panel, p.Width, b[column:], columns, n, s.K)
		}
	}
}

// PackBias packs a number for each column of B into those of a row of C, panel by panel.
func (s *Steps[T]) PackBias(bias, form []T) {
	form = form[:s.Columns()]
	for i := range s.Panels() {
		p := s.Panel(i)
		for g := range s.Groups {
			to := form[s.Groups*p.First+g*p.Width:][:p.Width]
			clear(to[copy(to, bias[g*s.Units+p.First:g*s.Units+p.End]):])
		}
	}
}

// Mul computes m rows of panel p into c, which begins with them. Rows of A are lda elements apart. b
// and bias are packed forms, or b is B if that has none; bias may be nil.
func (s *Steps[T]) Mul(p StepsPanel, m int, a []T, lda int, b, c, bias []T) {
	if m == 0 {
		return
	}
	columns := s.Groups * p.Width
	checkMatrix("Steps", "A", len(a), m, s.K, lda)
	checkMatrix("Steps", "C", len(c), m, columns, columns)
	if bias != nil {
		bias = bias[s.Groups*p.First:][:columns]
	}
	if !s.dots {
		s.tilesOf(p, m, a, lda, b, c, bias)
		return
	}
	for row := range m {
		to := c[row*columns:][:columns]
		copy(to, bias)
		for g := range s.Groups {
			s.dotsOf(to[g*p.Width:][:p.Width], a[row*lda:][:s.K], b[(g*s.Units+p.First)*s.K:][:p.Width*s.K], bias != nil)
		}
	}
}

// dotsOf sets c to the products of a with columns, or adds them.
func (s *Steps[T]) dotsOf(c, a, columns []T, add bool) {
	size, more := int(unsafe.Sizeof(T(0))), 0
	if add {
		more = 1
	}
	for k := 0; k < s.K; more = 1 {
		depth := min(s.K-k, gemvCall/4)
		for n := 0; n < len(c); {
			m := min(len(c)-n, max(gemvCall/depth&^3, 4))
			s.tiles.dots(m, depth, &a[k], &columns[n*s.K+k], s.K*size, &c[n], more)
			n += m
		}
		k += depth
	}
}

// tilesOf multiplies by the packed groups of panel p: as many at a time as stay in the cache while all
// rows are multiplied by them.
func (s *Steps[T]) tilesOf(p StepsPanel, m int, a []T, lda int, form, c, bias []T) {
	size, vecs, columns := int(unsafe.Sizeof(T(0))), p.Width/s.tiles.Width, s.Groups*p.Width
	tiles, depth, panel := isa.Ceil(m, s.tiles.Tallest(s.vecs)), isa.Even(s.K, maxDepth), p.Width*s.K
	few := min(max(s.tiles.bBlock/4/panel, 1), s.Groups)
	for g := 0; g < s.Groups; g += few {
		n, at := min(few, s.Groups-g), s.K*s.Groups*p.First+g*panel
		for k := 0; k < s.K; k += depth {
			deep, flags := min(depth, s.K-k), 0
			if k > 0 {
				flags = abi.FlagAdd
			}
			var of *T
			if k+deep == s.K && bias != nil {
				flags |= abi.FlagColBias
				of = &bias[g*p.Width]
			}
			for i := range tiles {
				row, end := m*i/tiles, m*(i+1)/tiles
				s.tiles.Kernel[vecs][end-row](1, n, deep, &a[row*lda+k], lda*size, size, &form[at+k*p.Width], p.Width*size, panel*size,
					&c[row*columns+g*p.Width], columns*size, of, flags, s.tiles.Width)
			}
		}
	}
}
