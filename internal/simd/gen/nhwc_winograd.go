package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// lastTile is what the transforms of Winograd's algorithm for channels-last images have in registers:
// a vector is the channels of one element of a tile.
type lastTile struct {
	*target
	at, row, pixel, masks, cells, to, es, left reg.GPVirtual
}

const lastSide = 6

// lastWinograd writes the transforms, and returns the table of forms.
func (t *target) lastWinograd() string {
	t.lastTileIn()
	table := "[]winogradForm{\n"
	for _, f := range t.winoForms() {
		t.lastTileOut(f)
		t.lastTileFilter(f)
		t.lastTileDy(f)
		t.lastTileFilterGrad(f)
		thirds := ""
		if f.filter == 3 {
			thirds = t.lastTileFilterThirds()
		}
		table += strings.NewReplacer("TILE", fmt.Sprint(f.tile), "SIZE", fmt.Sprint(f.filter), "LEVEL", t.name, "THIRDS", thirds).Replace(
			"{tile: TILE, size: SIZE, dy: tileDyTILELEVEL, out: tileOutTILELEVEL, filter: tileFilterSIZELEVEL, filterGrad: tileFilterGradSIZELEVELTHIRDS},\n")
	}
	return table + "}"
}

// lastTileFilterGrad transforms sums of 36 values to the elements of filters.
func (t *target) lastTileFilterGrad(f winoForm) {
	doc := fmt.Sprintf("is the adjoint of tileFilter%[1]d: from n > 0 vectors of 36 values, ucs bytes apart, to vectors of %[1]d×%[1]d elements, cs bytes apart.", f.filter)
	t.begin(fmt.Sprint("tileFilterGrad", f.filter, t.name), doc,
		"n int, u *float32, us, ucs int, w *float32, ws, cs int, cells *float32")
	n, u, w, cells, us, ws := t.arg("n"), t.arg("u"), t.arg("w"), t.arg("cells"), t.arg("us"), t.arg("ws")
	p, six := t.GP64(), t.GP64()
	cell := func(i, j int) operand.Mem { return operand.Mem{Base: cells, Disp: t.size * (lastSide*i + j)} }
	t.LEAQ(operand.Mem{Base: us, Index: us, Scale: 2}, six)
	t.ADDQ(six, six)
	t.Label("vector")
	for j := range lastSide {
		t.MOVQ(u, p)
		for range j {
			t.ADDQ(us, p)
		}
		for i := range lastSide {
			t.VMOVUPS(operand.Mem{Base: p}, t.regs[i])
			if i < lastSide-1 {
				t.ADDQ(six, p)
			}
		}
		f.tapsAdjoint(func(i int, v reg.Register) { t.VMOVUPS(v, cell(i, j)) })
	}
	t.MOVQ(w, p)
	for i := range f.filter {
		for j := range lastSide {
			t.VMOVUPS(cell(i, j), t.regs[j])
		}
		f.tapsAdjoint(func(_ int, v reg.Register) { // in the order of the elements
			t.VMOVUPS(v, operand.Mem{Base: p})
			t.ADDQ(ws, p)
		})
	}
	t.ADDQ(t.param("ucs"), u)
	t.ADDQ(t.param("cs"), w)
	t.DECQ(n)
	t.JNE(operand.LabelRef("vector"))
	t.end()
}

// lastTileFilter transforms filters, a vector of them at a time.
func (t *target) lastTileFilter(f winoForm) {
	doc := fmt.Sprintf("transforms n > 0 vectors of filters, cs bytes apart, whose %[1]d×%[1]d elements are ws bytes apart, to 36 vectors us bytes apart, the next vector's ucs bytes on.", f.filter)
	t.begin(fmt.Sprint("tileFilter", f.filter, t.name), doc,
		"n int, w *float32, ws, cs int, u *float32, us, ucs int, cells *float32")
	n, w, u, cells, ws, us := t.arg("n"), t.arg("w"), t.arg("u"), t.arg("cells"), t.arg("ws"), t.arg("us")
	p, six := t.GP64(), t.GP64()
	cell := func(i, j int) operand.Mem { return operand.Mem{Base: cells, Disp: t.size * (lastSide*i + j)} }
	t.Label("vector")
	t.MOVQ(w, p)
	for i := range f.filter {
		for j := range f.filter {
			t.VMOVUPS(operand.Mem{Base: p}, t.regs[j])
			t.ADDQ(ws, p)
		}
		f.taps(func(j int, v reg.Register) { t.VMOVUPS(v, cell(i, j)) })
	}
	t.LEAQ(operand.Mem{Base: us, Index: us, Scale: 2}, six)
	t.ADDQ(six, six)
	for j := range lastSide {
		for i := range f.filter {
			t.VMOVUPS(cell(i, j), t.regs[i])
		}
		t.MOVQ(u, p)
		for range j {
			t.ADDQ(us, p)
		}
		f.taps(func(i int, v reg.Register) { // in the order 0 to 5
			t.VMOVUPS(v, operand.Mem{Base: p})
			if i < lastSide-1 {
				t.ADDQ(six, p)
			}
		})
	}
	t.ADDQ(t.param("cs"), w)
	t.ADDQ(t.param("ucs"), u)
	t.DECQ(n)
	t.JNE(operand.LabelRef("vector"))
	t.end()
}

// lastTileFilterThirds writes the thirds of tileFilter3, and returns their field of the table.
func (t *target) lastTileFilterThirds() string {
	var names []string
	for third := range lastSide / 2 {
		t.lastTileFilterThird(third)
		names = append(names, fmt.Sprint("tileFilterThird", third, t.name))
	}
	return fmt.Sprintf(", thirds: []thirdFunc{%s}", strings.Join(names, ", "))
}

// lastTileFilterThird makes two columns of what tileFilter3 makes: values 0 and 5 of each row, 1 and 2, or 3 and 4.
func (t *target) lastTileFilterThird(third int) {
	t.begin(fmt.Sprintf("tileFilterThird%d%s", third, t.name), "is a third of tileFilter3: two of each six vectors that follow each other, in their order.",
		"n int, w *float32, ws, cs int, u *float32, us, ucs int")
	n, w, u, ws, us := t.arg("n"), t.arg("w"), t.arg("u"), t.arg("ws"), t.arg("us")
	p, two := t.GP64(), t.GP64()
	columns := [2][3]reg.VecPhysical{[3]reg.VecPhysical(t.regs[6:9]), [3]reg.VecPhysical(t.regs[9:12])}
	t.LEAQ(operand.Mem{Base: us, Index: us, Scale: 1}, two)
	t.Label("vector")
	t.MOVQ(w, p)
	for i := range 3 {
		g := [3]reg.VecPhysical(t.regs[:3])
		for j := range 3 {
			t.VMOVUPS(operand.Mem{Base: p}, g[j])
			t.ADDQ(ws, p)
		}
		if third == 0 {
			t.times(0.25, g[0], columns[0][i])
			t.VMOVAPS(g[2], columns[1][i])
			continue
		}
		of := 0
		t.winoTapsPair(third, g, func(_ int, difference bool) {
			t.winoEither(difference, columns[of][i])
			of++
		})
	}
	for of, column := range columns {
		for i, r := range column {
			t.VMOVAPS(r, t.regs[i])
		}
		t.MOVQ(u, p)
		if of > 0 {
			t.ADDQ(us, p)
		}
		t.winoTaps3(func(i int, v reg.Register) { // in the order 0 to 5
			t.VMOVUPS(v, operand.Mem{Base: p})
			if i < lastSide-1 {
				t.ADDQ(two, p)
			}
		})
	}
	t.ADDQ(t.param("cs"), w)
	t.ADDQ(t.param("ucs"), u)
	t.DECQ(n)
	t.JNE(operand.LabelRef("vector"))
	t.end()
}

func (t *target) lastTile(at, to string) *lastTile {
	p := &lastTile{target: t, at: t.arg(at), row: t.arg("row"), pixel: t.arg("pixel"), masks: t.arg("masks"), cells: t.arg("cells"),
		to: t.arg(to), es: t.arg("es"), left: t.arg("vectors")}
	t.winoConstants()
	return p
}

func (p *lastTile) cell(i, j int) operand.Mem {
	return operand.Mem{Base: p.cells, Disp: p.size * (lastSide*i + j)}
}

// lines runs line for the rows of a tile's n×n elements in memory, of which p points to the first:
// element reads or writes one.
func (p *lastTile) lines(n int, base reg.GPVirtual, masked bool, line func(i int, element func(j int, move func(m operand.Mem)))) {
	first, at := p.GP64(), p.GP64()
	p.MOVQ(base, first)
	for i := range n {
		p.MOVQ(first, at)
		line(i, func(j int, move func(m operand.Mem)) {
			if masked {
				p.use(p.masks, n*i+j)
			}
			move(operand.Mem{Base: at})
			if j < n-1 {
				p.ADDQ(p.pixel, at)
			}
		})
		if i < n-1 {
			p.ADDQ(p.row, first)
		}
	}
}

// lastTileIn transforms 6×6 pixels to 36 values, and lastTileDy those of a tile of the gradient of results.
// Behind the cells they add up what they read.
func (t *target) lastTileIn() {
	t.lastTilePixels("tileIn", "transforms vectors > 0 vectors of channels of 6×6 pixels, at bytes from x, to 36 vectors es bytes apart, and adds all elements to those behind 36 cells.",
		lastSide, t.winoInput)
}

func (t *target) lastTileDy(f winoForm) {
	doc := fmt.Sprintf("does for %[1]d×%[1]d pixels of the gradient of results what tileIn does for those of an image.", f.tile)
	t.lastTilePixels(fmt.Sprint("tileDy", f.tile), doc, f.tile, f.adjoint)
}

// lastTilePixels writes a kernel that reads n×n pixels. line transforms the first n registers to six.
func (t *target) lastTilePixels(name, doc string, n int, line winoLine) {
	t.begin(name+t.name, doc, "vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32, flags int")
	p := t.lastTile("x", "v")
	t.ADDQ(t.param("at"), p.at)
	sum := t.regs[12]
	sums := operand.Mem{Base: p.cells, Disp: t.size * lastSide * lastSide}
	t.VMOVUPS(sums, sum)
	t.Label("vector")
	read := func(masked bool) {
		p.lines(n, p.at, masked, func(i int, element func(j int, move func(m operand.Mem))) {
			for j := range n {
				element(j, func(m operand.Mem) {
					t.load(m, t.regs[j], masked)
					t.PREFETCHT0(operand.Mem{Base: m.Base, Disp: t.size}) // the next channels of all pixels
				})
				t.add(t.regs[j], sum, sum)
			}
			line(func(j int, r reg.Register) { t.VMOVUPS(r, p.cell(i, j)) })
		})
	}
	t.TESTQ(operand.U32(abi.FlagWhole), t.param("flags"))
	t.JE(operand.LabelRef("masked"))
	read(false)
	t.JMP(operand.LabelRef("columns"))
	t.Label("masked")
	read(true)
	t.Label("columns")
	t.VMOVUPS(sum, sums)
	six, v := t.GP64(), t.GP64()
	for j := range lastSide {
		for i := range n {
			t.VMOVUPS(p.cell(i, j), t.regs[i])
		}
		t.MOVQ(p.to, v)
		for range j {
			t.ADDQ(p.es, v)
		}
		t.LEAQ(operand.Mem{Base: p.es, Index: p.es, Scale: 2}, six)
		t.ADDQ(six, six)
		line(func(i int, r reg.Register) { // in the order 0 to 5
			t.VMOVUPS(r, operand.Mem{Base: v})
			if i < lastSide-1 {
				t.ADDQ(six, v)
			}
		})
	}
	t.VMOVUPS(sums, sum)
	p.next(p.at, p.to)
}

// next moves on to the next vector of channels.
func (p *lastTile) next(at ...reg.GPVirtual) {
	for _, r := range at {
		p.ADDQ(operand.Imm(uint64(p.size)), r)
	}
	p.DECQ(p.left)
	p.JNE(operand.LabelRef("vector"))
	p.end()
}

// lastTileOut transforms 36 values to the pixels of a tile.
func (t *target) lastTileOut(f winoForm) {
	doc := fmt.Sprintf("transforms vectors > 0 vectors of filters of 36 values es bytes apart to %[1]d×%[1]d pixels, and adds values that all of these reach to those behind 36 cells.", f.tile)
	t.begin(fmt.Sprint("tileOut", f.tile, t.name), doc,
		"vectors int, m *float32, es int, y *float32, row, pixel int, masks *uint32, bias, cells *float32, flags int")
	p := t.lastTile("m", "y")
	bias := t.arg("bias")
	six, m := t.GP64(), t.GP64()
	sum := t.regs[12]
	sums := operand.Mem{Base: p.cells, Disp: t.size * lastSide * lastSide}
	t.Label("vector")
	t.VMOVUPS(sums, sum)
	for j := range lastSide {
		t.MOVQ(p.at, m)
		for range j {
			t.ADDQ(p.es, m)
		}
		t.LEAQ(operand.Mem{Base: p.es, Index: p.es, Scale: 2}, six)
		t.ADDQ(six, six)
		for i := range lastSide {
			t.VMOVUPS(operand.Mem{Base: m}, t.regs[i])
			if i < lastSide-1 {
				t.ADDQ(six, m)
			}
		}
		for i, r := range f.result() {
			t.VMOVUPS(r, p.cell(i, j))
			t.add(r, sum, sum)
		}
	}
	t.VMOVUPS(sum, sums)
	t.TESTQ(operand.U32(abi.FlagWhole), t.param("flags"))
	t.JE(operand.LabelRef("masked"))
	p.results(f, "whole", bias, false)
	t.JMP(operand.LabelRef("next"))
	t.Label("masked")
	p.results(f, "masked", bias, true)
	t.Label("next")
	p.next(p.at, p.to, bias)
}

// results finishes and writes the pixels. The mask behind those of the pixels is that of the filters.
func (p *lastTile) results(f winoForm, label string, bias reg.GPVirtual, masked bool) {
	x := p.regs[12]
	p.lines(f.tile, p.to, masked, func(i int, element func(j int, move func(m operand.Mem))) {
		for j := range lastSide {
			p.VMOVUPS(p.cell(i, j), p.regs[j])
		}
		out := f.result()
		name := fmt.Sprint(label, i)
		p.when(abi.FlagColBias, name+"bias", func() {
			if masked {
				p.use(p.masks, f.tile*f.tile)
			}
			p.load(operand.Mem{Base: bias}, x, masked)
			for _, r := range out {
				p.add(x, r, r)
			}
		})
		for j, r := range out {
			element(j, func(m operand.Mem) {
				p.when(abi.FlagAdd, fmt.Sprint(name, "add", j), func() {
					p.load(m, x, masked)
					p.add(x, r, r)
				})
				p.rectify(fmt.Sprint(name, j), x, []reg.VecPhysical{r})
				p.store(r, m, masked)
			})
		}
	})
}
