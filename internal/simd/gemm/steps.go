package gemm

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// StepsOp describes products C = A·op(B) + bias of the same B with one A after the other: B of
// Groups*Units columns, K deep. The columns of a group are one block of B, and of C.
type StepsOp struct {
	M                int  // about how many rows A has
	Groups, Units, K int  // K and Units are at least 1
	TransB           bool // B is stored by columns
}

// Steps compute such products, a panel of units of all groups at a time. B is packed once.
type Steps[T isa.Float] struct {
	StepsOp
	tiles *Tiles[T]
	level isa.Level

	dots     bool // A has one row, which is multiplied by columns of B as they would be stored transposed
	vecs, nr int  // vectors and units of a panel
}

// dotsUnits is how many columns of B a panel has for products of one row.
const dotsUnits = 64

// StepsOf plans products. The bits of a result depend neither on the other rows of A nor on who
// computes which panels.
func StepsOf[T isa.Float](k *Kernels, op StepsOp) *Steps[T] {
	s := &Steps[T]{StepsOp: op, tiles: tilesOf[T](k), level: k.level}
	if s.dots = op.M == 1 && op.Units%4 == 0; s.dots {
		s.nr = dotsUnits
		return s
	}
	s.vecs = s.tiles.PanelVecs(max(op.M, 1), op.Units)
	s.nr = s.vecs * s.tiles.Width
	return s
}

// Panels is the number of panels.
func (s *Steps[T]) Panels() int { return isa.Ceil(s.Units, s.nr) }

// Panel returns the units of panel p, from first to end.
func (s *Steps[T]) Panel(p int) (first, end int) { return p * s.nr, min((p+1)*s.nr, s.Units) }

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
	elements = s.Groups * s.K * s.Units
	if !s.dots {
		elements = s.Groups * s.K * s.Panels() * s.nr
	}
	return elements, StepsForm{op, s.level, int(unsafe.Sizeof(T(0))), s.nr, s.dots}
}

// Pack packs B.
func (s *Steps[T]) Pack(b, form []T) {
	columns := s.Groups * s.Units
	b = b[:columns*s.K]
	if need, _ := s.Packing(); len(form) < need {
		panic(fmt.Sprintf("gemm: a packed form of %d elements, needs %d", len(form), need))
	}
	if s.dots {
		s.tiles.packColumns(form, s.K, b, columns, s.K, columns)
		return
	}
	for p := range s.Panels() {
		first, end := s.Panel(p)
		for g := range s.Groups {
			panel, column := s.panel(form, p, g), g*s.Units+first
			if s.TransB {
				s.tiles.packColumns(panel, s.nr, b[column*s.K:], s.K, end-first, s.K)
			} else {
				packRows(panel, s.nr, b[column:], columns, end-first, s.K)
			}
		}
	}
}

// panel is a packed panel of a group.
func (s *Steps[T]) panel(form []T, p, group int) []T {
	n := s.K * s.nr
	return form[(p*s.Groups+group)*n:][:n]
}

// Mul computes the units of panel p, of all groups, for m rows of A. Rows of A are lda elements apart
// and those of C Groups*Units. bias has a number for each column, or is nil. b is the packed form, or
// B if there is none.
func (s *Steps[T]) Mul(p, m int, a []T, lda int, b, c, bias []T) {
	if m == 0 {
		return
	}
	columns := s.Groups * s.Units
	checkMatrix("Steps", "A", len(a), m, s.K, lda)
	checkMatrix("Steps", "C", len(c), m, columns, columns)
	first, end := s.Panel(p)
	for g := range s.Groups {
		column := g*s.Units + first
		var of []T
		if bias != nil {
			of = bias[column:][:end-first]
		}
		if !s.dots {
			s.tilesOf(m, a, lda, s.panel(b, p, g), c[column:], columns, of, end-first)
			continue
		}
		for row := range m {
			s.dotsOf(c[row*columns+column:][:end-first], a[row*lda:][:s.K], b[column*s.K:][:(end-first)*s.K], of)
		}
	}
}

// dotsOf sets c to the products of a with columns, plus bias.
func (s *Steps[T]) dotsOf(c, a, columns, bias []T) {
	size, more := int(unsafe.Sizeof(T(0))), 0
	if bias != nil {
		copy(c, bias)
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

// tilesOf sets n columns of c to the products of m rows of a with a packed panel.
func (s *Steps[T]) tilesOf(m int, a []T, lda int, panel, c []T, ldc int, bias []T, n int) {
	size, vecs := int(unsafe.Sizeof(T(0))), isa.Ceil(n, s.tiles.Width)
	last, tiles := n-(vecs-1)*s.tiles.Width, isa.Ceil(m, s.tiles.Tallest(s.vecs))
	depth, flags := isa.Even(s.K, maxDepth), 0
	for k := 0; k < s.K; k += depth {
		deep := min(depth, s.K-k)
		var of *T
		if flags = flags &^ abi.FlagColBias; k+deep == s.K && bias != nil {
			flags |= abi.FlagColBias
			of = &bias[0]
		}
		for i := range tiles {
			row, end := m*i/tiles, m*(i+1)/tiles
			s.tiles.Kernel[vecs][end-row](1, deep, &a[row*lda+k], lda*size, size, &panel[k*s.nr], s.nr*size, 0, &c[row*ldc], ldc*size, of, flags, last)
		}
		flags |= abi.FlagAdd
	}
}
