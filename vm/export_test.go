package vm

import (
	"errors"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
)

// SetPackedFree sets how many bytes packed forms always have, and returns a function that restores it.
func SetPackedFree(bytes int) (restore func()) {
	before := packedFree
	packedFree = bytes
	return func() { packedFree = before }
}

// Plans is the number of batch sizes that p remembers.
func Plans(p *Program) int { return len(p.plans) }

// NaiveOrder reports whether the schedule of p for batch size n, made with a queue, is the one
// made by looking at all that is ready at each step.
func NaiveOrder(p *Program, n int) (bool, error) {
	pl, err := p.plan(n)
	if err != nil {
		return false, err
	}
	r, l := newReadiness(pl, false), newLiveness(pl)
	var order []*instr
	for range pl.instrs {
		var best *instr
		for _, in := range pl.instrs {
			if !r.taken[in.at] && r.waiting[in.at] == 0 && (best == nil || byMemory(in, l) < byMemory(best, l)) {
				best = in
			}
		}
		r.take(best)
		l.run(best)
		order = append(order, best)
	}
	return slices.Equal(order, pl.tryOrder(newReadiness(pl, false), byMemory)), nil
}

// Moved is how many bytes the kernels of p read and write at batch size n: one that writes over an
// input works on as much as its other inputs have, one that takes a part reads no more than that.
func Moved(p *Program, n int) (bytes int, err error) {
	pl, err := p.plan(n)
	if err != nil {
		return 0, err
	}
	for _, in := range pl.instrs {
		if in.kind == aliased {
			continue
		}
		over := map[*value]bool{}
		for _, v := range in.out {
			if in.fmap == nil && v.alias != nil {
				over[v.root()] = true
				continue
			}
			bytes += v.typ.Bytes()
		}
		part := slices.Contains([]string{"Slice", "Gather"}, in.name())
		for _, v := range in.in {
			switch {
			case over[v.root()]:
			case part:
				bytes += min(v.typ.Bytes(), in.out[0].typ.Bytes())
			default:
				bytes += v.typ.Bytes()
			}
		}
	}
	return bytes, nil
}

// Block is memory that is needed from instruction First to Last.
type Block struct{ Bytes, Offset, First, Last int }

// Place gives blocks their offsets, one after the other.
func Place(blocks []Block, last int) {
	sky := newSkyline(last)
	for i, b := range blocks {
		blocks[i].Offset = sky.place(&block{bytes: b.Bytes, first: b.First, last: b.Last})
	}
}

// CheckBlocks is what vm.Checked says of blocks in a program of so many instructions.
func CheckBlocks(blocks []Block, instrs int) error {
	p := &plan{instrs: make([]*instr, instrs)}
	for _, b := range blocks {
		p.placed = append(p.placed, &block{bytes: b.Bytes, offset: b.Offset, first: b.First, last: b.Last})
	}
	return p.checkBlocks()
}

// SkylineRuns is how long the lists of what is taken are in the end, all together, of p at batch
// size n.
func SkylineRuns(p *Program, n int) (runs int, err error) {
	pl, err := p.plan(n)
	if err != nil {
		return 0, err
	}
	sky := newSkyline(len(pl.instrs))
	for _, b := range pl.placed {
		sky.place(b)
	}
	for node := range sky.sometimes {
		runs += len(sky.sometimes[node]) + len(sky.throughout[node])
	}
	return runs, nil
}

// PassFiles is the file, without its folder, in which the function of each pass stands.
func PassFiles() map[string]string {
	files := map[string]string{}
	for _, p := range symbolicPasses() {
		files[p.name] = fileOf(p.run)
	}
	for _, p := range loweringPasses() {
		files[p.name] = fileOf(p.run)
	}
	return files
}

func fileOf(f any) string {
	pc := reflect.ValueOf(f).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	return filepath.Base(file)
}

// CheckPassOrder checks both lists of passes, with the passes of those names exchanged.
func CheckPassOrder(first, second string) error {
	always := func(name string) bool { return instead[name] != nil }
	return errors.Join(
		checkOrder(exchanged(symbolicPasses(), first, second), func(string) bool { return false }),
		checkOrder(exchanged(loweringPasses(), first, second), always))
}

func exchanged[U any](list []pass[U], first, second string) []pass[U] {
	at := func(name string) int { return slices.IndexFunc(list, func(p pass[U]) bool { return p.name == name }) }
	if i, j := at(first), at(second); i >= 0 && j >= 0 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// PassOrder lists the pairs of passes of which the first is said to run before the second.
func PassOrder() (pairs [][2]string) {
	for _, p := range symbolicPasses() {
		for _, name := range slices.Concat(p.needs, p.after) {
			pairs = append(pairs, [2]string{name, p.name})
		}
	}
	for _, p := range loweringPasses() {
		for _, name := range slices.Concat(p.needs, p.after) {
			pairs = append(pairs, [2]string{name, p.name})
		}
	}
	return pairs
}
